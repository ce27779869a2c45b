/**
 * HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY, as curl and Go's programs read them, and with CIDR.
 */
import { BlockList, isIP } from 'node:net'
import { registryErrors } from '../model/errors.ts'
import { isLoopback } from './loopback.ts'

/** Proxies by scheme, and the hosts that are reached directly. */
export interface ProxyOptions {
  /** Proxy for http URLs. */
  readonly http?: string | undefined
  /** Proxy for https URLs. */
  readonly https?: string | undefined
  /** Comma-separated: `*`, names (with all below them), `.names`, addresses, CIDR, each with `:port` if wanted. */
  readonly noProxy?: string | undefined
}

/** The proxy settings of an environment; lowercase names win, as with curl. */
export function proxiesFromEnv(env: Readonly<Record<string, string | undefined>>): ProxyOptions {
  const value = (name: string) => env[name.toLowerCase()] || env[name] || undefined
  const all = value('ALL_PROXY')
  // Within CGI, HTTP_PROXY is a header of the client (httpoxy).
  const http = env.REQUEST_METHOD === undefined ? value('HTTP_PROXY') : env.http_proxy
  return { http: http || all, https: value('HTTPS_PROXY') ?? all, noProxy: value('NO_PROXY') }
}

/** Decides the proxy for each URL. Loopback is always reached directly. @throws RegistryError CONFIG_INVALID */
export function proxySelector(options: ProxyOptions): (url: URL) => URL | undefined {
  const http = parseProxy(options.http)
  const https = parseProxy(options.https)
  if (http === undefined && https === undefined) return () => undefined
  const bypass = (options.noProxy ?? '')
    .split(/[\s,]+/)
    .filter(Boolean)
    .map(bypassRule)
  return (url) => {
    const proxy = url.protocol === 'https:' ? https : http
    if (proxy === undefined || isLoopback(url.hostname)) return undefined
    const host = url.hostname
      .replace(/^\[|\]$/g, '')
      .toLowerCase()
      .replace(/\.$/, '')
    const port = url.port || (url.protocol === 'https:' ? '443' : '80')
    return bypass.some((rule) => rule(host, port)) ? undefined : proxy
  }
}

function parseProxy(text: string | undefined): URL | undefined {
  if (text === undefined || text === '') return undefined
  const written = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`
  if (!URL.canParse(written)) throw registryErrors.configInvalid(['proxy', 'the address of the proxy is not a URL'])
  const url = new URL(written)
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw registryErrors.configInvalid(['proxy', `proxies of scheme ${url.protocol} are not supported`])
  }
  return url
}

function bypassRule(text: string): (host: string, port: string) => boolean {
  if (text === '*') return () => true
  const [range, bits] = text.split('/', 2)
  const family = isIP(range!)
  if (bits !== undefined && family !== 0 && /^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128)) {
    const list = new BlockList()
    list.addSubnet(range!, Number(bits), family === 4 ? 'ipv4' : 'ipv6')
    return (host) => isIP(host) === family && list.check(host, family === 4 ? 'ipv4' : 'ipv6')
  }
  const withPort = /^(\[[^\]]+\]|[^:]+):(\d+)$/.exec(text)
  const name = (withPort?.[1] ?? text)
    .replace(/^\[|\]$/g, '')
    .toLowerCase()
    .replace(/^\*?\./, '')
  const port = withPort?.[2]
  return (host, hostPort) => {
    if (port !== undefined && port !== hostPort) return false
    return host === name || (isIP(host) === 0 && host.endsWith(`.${name}`))
  }
}
