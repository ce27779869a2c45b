/** `type=gha`: a cache in the cache service of GitHub Actions, within a job. */
import { createHash } from 'node:crypto'
import type { AttributeReader } from '../../util/attributes.ts'
import { exportAttributes, importAttributes } from '../attributes.ts'
import type { CacheBackend, CacheServices, Env } from '../backend.ts'
import { PLAIN } from '../codec.ts'
import { ActionsService } from '../services/actions-service.ts'
import { type ActionsPlace, actionsExporter, actionsImporter } from './gha-cache.ts'
import { DEFAULT_NAME, durationOf, serviceUrl } from './object-attributes.ts'

/** Both flags have all of them, as BuildKit has it. */
const ATTRIBUTES = ['scope', 'timeout', 'url', 'url_v2', 'token', 'version', 'repository', 'ghtoken'] as const

type ActionsAttributes = AttributeReader<(typeof ATTRIBUTES)[number]>

const TIMEOUT_MS = 10 * 60_000
const PATIENCE_MS = 15_000
/** Entries of other programs have other versions, so that none is met by its key. */
const ENTRY_VERSION = createHash('sha256').update('tsbuild-cache-1').digest('hex')

export const ghaBackend: CacheBackend = {
  from(values, env) {
    const attrs = importAttributes('gha', values, ATTRIBUTES)
    const parsed = parse(attrs, env)
    if (parsed === undefined) return undefined
    const { name, place } = parsed
    const { warnings } = attrs
    const mounts = attrs.flag('mounts', true)
    return { type: 'gha', name, warnings, mounts, open: async (services) => actionsImporter(place(services)) }
  },
  to(values, env) {
    const { attrs, common } = exportAttributes('gha', values, ATTRIBUTES)
    const parsed = parse(attrs, env)
    if (parsed === undefined) return undefined
    const { name, place } = parsed
    return { ...common, name, open: async (services) => actionsExporter(place(services)) }
  },
}

/** undefined outside of a job of GitHub Actions, so that one command works everywhere. */
function parse(attrs: ActionsAttributes, env: Env) {
  const scope = attrs.text('scope') || DEFAULT_NAME
  // Keys are lists for the first version of the service, and have 512 characters.
  if (/[,\0-\x1f\x7f]/.test(scope) || scope.length > 400) return attrs.fail(`invalid scope ${JSON.stringify(scope)}`)
  const timeoutMs = durationOf(attrs, 'timeout', TIMEOUT_MS)
  const given = attrs.text('version')
  if (given !== undefined && given !== '1' && given !== '2')
    return attrs.fail(`invalid version ${JSON.stringify(given)}`)
  if (attrs.text('repository') !== undefined || attrs.text('ghtoken') !== undefined)
    attrs.warnings.push('type=gha: repository and ghtoken have no effect: the index says what is there')
  const token = attrs.text('token') || env.ACTIONS_RUNTIME_TOKEN
  const first = attrs.text('url') || env.ACTIONS_CACHE_URL
  const second = attrs.text('url_v2') || env.ACTIONS_RESULTS_URL
  const asked = /^(1|t|true)$/i.test(env.ACTIONS_CACHE_SERVICE_V2 ?? '')
  // Without a word about it: a job that has no address of the first version can only mean the second.
  const version = given ?? (second && (asked || !first) ? '2' : '1')
  const address = version === '2' ? second : first || second
  if (!token || !address) return undefined
  const url = serviceUrl(attrs, version === '2' ? 'url_v2' : 'url', address)
  const name = `gha ${scope}`
  const place = ({ client, codec = PLAIN }: CacheServices): ActionsPlace => {
    const now = Date.now
    const options = { client, version: version === '2' ? 2 : 1, url, token, entryVersion: ENTRY_VERSION } as const
    return {
      name,
      scope,
      token,
      codec,
      service: new ActionsService({ ...options, timeoutMs, now }),
      now,
      patienceMs: PATIENCE_MS,
    }
  }
  return { name, place }
}
