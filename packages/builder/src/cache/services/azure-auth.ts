/** What lets requests to Azure's storage pass: the key of an account, a signature in the URL, or somebody's token. */
import { createHmac } from 'node:crypto'

/** Adds what is needed to a request's headers. `headers` are those that are sent, in lower case. */
export type AzureAuth = (request: {
  readonly method: string
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly length: number
}) => Readonly<Record<string, string>>

/** Headers that are signed by their places; others by their names, if they begin with `x-ms-`. */
const BY_PLACE = [
  ...['content-encoding', 'content-language', 'content-length', 'content-md5', 'content-type', 'date'],
  ...['if-modified-since', 'if-match', 'if-none-match', 'if-unmodified-since', 'range'],
]

/** The key of a storage account ("Shared Key"). @param key in base64 */
export function sharedKey(account: string, key: string): AzureAuth {
  const secret = Buffer.from(key, 'base64')
  return ({ method, url, headers, length }) => {
    const given: Readonly<Record<string, string>> = { ...headers, 'content-length': length === 0 ? '' : String(length) }
    const own = Object.keys(headers).filter((name) => name.startsWith('x-ms-'))
    const query = [...url.searchParams].map(([name, value]) => `${name.toLowerCase()}:${value}`)
    const text = [
      method,
      ...BY_PLACE.map((name) => given[name] ?? ''),
      ...own.sort().map((name) => `${name}:${headers[name]!.trim()}`),
      `/${account}${url.pathname}`,
      ...query.sort(),
    ].join('\n')
    const signature = createHmac('sha256', secret).update(text).digest('base64')
    return { authorization: `SharedKey ${account}:${signature}` }
  }
}
