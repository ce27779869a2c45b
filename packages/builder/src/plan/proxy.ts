/** Proxy variables of RUN. */

const PROXY_ARGS = ['http_proxy', 'https_proxy', 'ftp_proxy', 'no_proxy', 'all_proxy']

/** Proxy variables given as build arguments, in both cases: for RUN's environment, never for history or cache keys. */
export function proxyEnvironment(buildArgs: ReadonlyMap<string, string>): string[] {
  const found = new Map<string, string>()
  for (const [name, value] of [...buildArgs].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const lower = name.toLowerCase()
    if (PROXY_ARGS.includes(lower)) found.set(lower, value)
  }
  return [...found].flatMap(([name, value]) => [`${name.toUpperCase()}=${value}`, `${name}=${value}`])
}
