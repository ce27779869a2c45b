/** `type=azblob`: a cache in a container of Azure's blob storage. */
import type { AttributeReader } from '../../util/attributes.ts'
import { exportAttributes, importAttributes } from '../attributes.ts'
import type { CacheBackend, CacheServices, Env } from '../backend.ts'
import { PLAIN } from '../codec.ts'
import { type AzureAuth, sharedKey } from '../services/azure-auth.ts'
import { azureToken } from '../services/azure-credentials.ts'
import { AzureStore } from '../services/azure-store.ts'
import { hider } from '../services/service-error.ts'
import { checkedKey, namesOf, serviceUrl } from './object-attributes.ts'
import { type ObjectPlace, objectExporter, objectImporter } from './object-cache.ts'

/** Both flags have all of them, as BuildKit has it. */
const ATTRIBUTES = [
  'account_url',
  'account_name',
  'container',
  'prefix',
  'manifests_prefix',
  'blobs_prefix',
  'name',
  'secret_access_key',
] as const

type AzureAttributes = AttributeReader<(typeof ATTRIBUTES)[number]>

export const azblobBackend: CacheBackend = {
  from(values, env) {
    const attrs = importAttributes('azblob', values, ATTRIBUTES)
    const { name, place } = parse(attrs, env)
    const { warnings } = attrs
    const mounts = attrs.flag('mounts', true)
    return { type: 'azblob', name, warnings, mounts, open: async (services) => objectImporter(place(services)) }
  },
  to(values, env) {
    const { attrs, common } = exportAttributes('azblob', values, ATTRIBUTES)
    const { name, place } = parse(attrs, env)
    return { ...common, name, open: async (services) => objectExporter(place(services)) }
  },
}

function parse(attrs: AzureAttributes, env: Env) {
  const address = attrs.text('account_url') || env.BUILDKIT_AZURE_STORAGE_ACCOUNT_URL
  if (!address) return attrs.fail('account_url ($BUILDKIT_AZURE_STORAGE_ACCOUNT_URL) is required for azblob cache')
  const account = serviceUrl(attrs, 'account_url', address)
  const accountName =
    attrs.text('account_name') || env.BUILDKIT_AZURE_STORAGE_ACCOUNT_NAME || account.hostname.replace(/\..*/s, '')
  const container = attrs.text('container') || env.BUILDKIT_AZURE_STORAGE_CONTAINER || 'buildkit-cache'
  if (!/^(\$root|\$web|[a-z0-9](?:-?[a-z0-9]){2,62})$/.test(container))
    return attrs.fail(`invalid container ${JSON.stringify(container)}`)
  const prefix = attrs.text('prefix') ?? env.BUILDKIT_AZURE_STORAGE_PREFIX ?? ''
  const [manifests, blobs] = [attrs.text('manifests_prefix') ?? 'manifests', attrs.text('blobs_prefix') ?? 'blobs']
  const key = (...parts: string[]) => checkedKey(attrs, 'prefix or name', joined(parts))
  const documentKeys = namesOf(attrs).map((name) => key(prefix, manifests, name))
  const blobsPath = key(prefix, blobs, 'x').slice(0, -1)
  const secret = attrs.text('secret_access_key')
  const signature = account.searchParams.get('sig') ?? undefined
  if (secret && Buffer.from(secret, 'base64').length === 0) return attrs.fail('secret_access_key is not in base64')
  const name = `azblob ${account.host}/${container}/${documentKeys[0]}`
  const place = ({ client, codec = PLAIN }: CacheServices): ObjectPlace => {
    const now = Date.now
    const token = azureToken({ client, env, now })
    const own: AzureAuth | undefined = secret ? sharedKey(accountName, secret) : signature ? () => ({}) : undefined
    const auth = async (signal: AbortSignal): Promise<AzureAuth> => {
      if (own !== undefined) return own
      const authorization = `Bearer ${await token(signal)}`
      return () => ({ authorization })
    }
    const hide = hider(secret, signature)
    return {
      name,
      codec,
      store: new AzureStore({ client, account, container, auth, hide, now }),
      blobKey: (digest) => `${blobsPath}${digest}`,
      documentKeys,
      touchAfterMs: undefined,
      now,
    }
  }
  return { name, place }
}

/** Parts of a path, without what is empty. */
function joined(parts: readonly string[]): string {
  return parts
    .join('/')
    .split('/')
    .filter((part) => part !== '')
    .join('/')
}
