/** `type=s3`: a cache in a bucket of Amazon S3, or of what speaks like it. */
import { userInfo } from 'node:os'
import type { AttributeReader } from '../../util/attributes.ts'
import { exportAttributes, importAttributes } from '../attributes.ts'
import type { CacheBackend, CacheServices, Env } from '../backend.ts'
import { PLAIN } from '../codec.ts'
import { awsCredentials } from '../services/aws-credentials.ts'
import { S3Store } from '../services/s3-store.ts'
import { checkedKey, durationOf, keyPart, namesOf, serviceUrl } from './object-attributes.ts'
import { type ObjectPlace, objectExporter, objectImporter } from './object-cache.ts'

/** Both flags have all of them, as BuildKit has it. */
const ATTRIBUTES = [
  'bucket',
  'region',
  'endpoint_url',
  'use_path_style',
  'prefix',
  'manifests_prefix',
  'blobs_prefix',
  'name',
  'access_key_id',
  'secret_access_key',
  'session_token',
  'touch_refresh',
  'upload_parallelism',
  'retry_mode',
  'retry_max_attempts',
  'disable_accept_encoding',
] as const

type S3Attributes = AttributeReader<(typeof ATTRIBUTES)[number]>

const DAY_MS = 24 * 3_600_000

export const s3Backend: CacheBackend = {
  from(values, env) {
    const attrs = importAttributes('s3', values, ATTRIBUTES)
    const { name, place } = parse(attrs, env)
    const { warnings } = attrs
    const mounts = attrs.flag('mounts', true)
    return { type: 's3', name, warnings, mounts, open: async (services) => objectImporter(place(services)) }
  },
  to(values, env) {
    const { attrs, common } = exportAttributes('s3', values, ATTRIBUTES)
    const { name, place } = parse(attrs, env)
    return { ...common, name, open: async (services) => objectExporter(place(services)) }
  },
}

function parse(attrs: S3Attributes, env: Env) {
  const bucket = attrs.text('bucket') || env.AWS_BUCKET
  if (!bucket) return attrs.fail('bucket ($AWS_BUCKET) not set for s3 cache')
  const region = attrs.text('region') || env.AWS_REGION
  if (!region) return attrs.fail('region ($AWS_REGION) not set for s3 cache')
  if (!/^[\w-]{1,64}$/.test(region)) return attrs.fail(`invalid region ${JSON.stringify(region)}`)
  if (!/^[\w.-]{1,255}$/.test(bucket) || bucket === '.' || bucket === '..')
    return attrs.fail(`invalid bucket ${JSON.stringify(bucket)}`)
  const prefix = keyPart(attrs, 'prefix', '')
  const manifests = keyPart(attrs, 'manifests_prefix', 'manifests/')
  const blobs = keyPart(attrs, 'blobs_prefix', 'blobs/')
  const documentKeys = namesOf(attrs).map((name) => checkedKey(attrs, 'name', `${prefix}${manifests}${name}`))
  const endpoint = attrs.text('endpoint_url') || env.AWS_ENDPOINT_URL_S3 || env.AWS_ENDPOINT_URL
  const parallel = attrs.integer('upload_parallelism') ?? 4
  if (parallel < 1) attrs.fail('upload_parallelism must be a positive integer')
  const attempts = attrs.integer('retry_max_attempts')
  if (attempts !== undefined && attempts < 1) attrs.fail('retry_max_attempts must be a positive integer')
  if (attrs.oneOf('retry_mode', ['standard', 'adaptive'], 'standard') === 'adaptive')
    attrs.warnings.push('type=s3: retry_mode=adaptive is the same as standard here')
  // Nobody signs that header here, which is what Google's servers need.
  attrs.flag('disable_accept_encoding', false)
  const options = {
    bucket,
    region,
    endpoint: endpoint ? serviceUrl(attrs, 'endpoint_url', endpoint) : undefined,
    pathStyle: attrs.flag('use_path_style', false),
    attempts,
    parallel: Math.min(parallel, 64),
    now: Date.now,
  }
  const own = ownCredentials(attrs)
  const touchAfterMs = durationOf(attrs, 'touch_refresh', DAY_MS)
  const name = `s3 ${bucket}/${documentKeys[0]}`
  const place = ({ client, codec = PLAIN }: CacheServices): ObjectPlace => {
    const context = { client, env, home: env.HOME || userInfo().homedir, region, now: Date.now }
    return {
      name,
      codec,
      store: new S3Store({ ...options, client, credentials: awsCredentials(context, own) }),
      blobKey: (digest) => `${prefix}${blobs}${digest}`,
      documentKeys,
      touchAfterMs,
      now: Date.now,
    }
  }
  return { name, place }
}

function ownCredentials(attrs: S3Attributes) {
  const accessKeyId = attrs.text('access_key_id')
  const secretAccessKey = attrs.text('secret_access_key')
  if (!accessKeyId && !secretAccessKey) return undefined
  if (!accessKeyId || !secretAccessKey) return attrs.fail('access_key_id and secret_access_key need each other')
  return { accessKeyId, secretAccessKey, sessionToken: attrs.text('session_token') || undefined }
}
