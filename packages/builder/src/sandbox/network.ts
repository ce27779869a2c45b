/** Contents of /etc/hosts and /etc/resolv.conf for RUN, made from the machine's. */
import { readFileSync } from 'node:fs'
import { isIP, isIPv6 } from 'node:net'
import { sandboxErrors } from './errors.ts'

export interface ExtraHost {
  readonly host: string
  readonly ip: string
}

export interface ResolverOptions {
  /** Name servers in place of the machine's. */
  readonly dns: readonly string[]
  /** The process shares the machine's loopback, so that a name server there can be reached. */
  readonly sharesLoopback: boolean
}

/** Labels of letters, digits, `-` and `_`, as container hosts have them. */
const HOST_NAME = /^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*\.?$/i

/**
 * /etc/hosts with loopback names, the container's own name and `--add-host` entries. Throws RUN_BAD_HOST for names or
 * addresses that could forge other lines.
 */
export function hostsFile(hostname: string, extra: readonly ExtraHost[]): string {
  const lines = [
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    'fe00::0\tip6-localnet',
    'ff00::0\tip6-mcastprefix',
    'ff02::1\tip6-allnodes',
    'ff02::2\tip6-allrouters',
  ]
  if (hostname !== '') lines.push(`127.0.0.1\t${checkHost(hostname)}`)
  for (const { host, ip } of extra) {
    if (isIP(ip) === 0) throw sandboxErrors.badHost([`invalid IP address in add-host: ${JSON.stringify(ip)}`])
    lines.push(`${ip}\t${checkHost(host)}`)
  }
  return `${lines.join('\n')}\n`
}

function checkHost(host: string): string {
  if (host.length > 253 || !HOST_NAME.test(host))
    throw sandboxErrors.badHost([`invalid host name: ${JSON.stringify(host)}`])
  return host
}

const STUB_RESOLVER = '/run/systemd/resolve/resolv.conf'
const FALLBACK = ['8.8.8.8', '8.8.4.4', '2001:4860:4860::8888', '2001:4860:4860::8844']

/** The machine's resolv.conf; behind systemd-resolved the one with the real name servers. '' when there is none. */
export function readMachineResolvConf(): string {
  const own = readIfThere('/etc/resolv.conf') ?? ''
  const servers = nameservers(own)
  if (servers.length > 0 && servers.every((server) => server === '127.0.0.53')) return readIfThere(STUB_RESOLVER) ?? own
  return own
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

function nameservers(text: string): string[] {
  return [...text.matchAll(/^[ \t]*nameserver[ \t]+(\S+)/gm)].map((match) => match[1]!)
}

/** /etc/resolv.conf from the machine's: name servers that cannot be reached are left out, `--dns` replaces them all. */
export function resolvConf(machine: string, { dns, sharesLoopback }: ResolverOptions): string {
  for (const server of dns)
    if (isIP(server) === 0) throw sandboxErrors.badHost([`invalid name server: ${JSON.stringify(server)}`])
  const kept: string[] = []
  const servers: string[] = []
  for (const line of machine.split('\n')) {
    const server = /^[ \t]*nameserver[ \t]+(\S+)/.exec(line)?.[1]
    if (server === undefined) kept.push(line)
    else if (sharesLoopback || !isLoopback(server)) servers.push(server)
  }
  const used = dns.length > 0 ? dns : servers.length > 0 ? servers : FALLBACK
  const rest = kept.filter((line) => line.trim() !== '').join('\n')
  return `${used.map((server) => `nameserver ${server}`).join('\n')}\n${rest === '' ? '' : `${rest}\n`}`
}

function isLoopback(server: string): boolean {
  const address = server.split('%')[0]!
  return address.startsWith('127.') || (isIPv6(address) && /^(0*:)*0*1$/.test(address.replace('::', ':')))
}
