/**
 * Hosts that are this machine, and hosts that redirects to foreign content must not reach.
 */
import { BlockList, isIP } from 'node:net'

function bare(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, '').toLowerCase()
}

/** true for `localhost`, `*.localhost`, 127.0.0.0/8 and ::1. */
export function isLoopback(hostname: string): boolean {
  const host = bare(hostname)
  if (host === 'localhost' || host.endsWith('.localhost')) return true
  const family = isIP(host)
  if (family === 4) return host.startsWith('127.')
  return family === 6 && (new URL(`http://[${host}]`).hostname === '[::1]' || /^::ffff:127\./.test(host))
}

const privateRanges: readonly (readonly [string, number, 'ipv4' | 'ipv6'])[] = [
  ['0.0.0.0', 8, 'ipv4'],
  ['10.0.0.0', 8, 'ipv4'],
  ['100.64.0.0', 10, 'ipv4'],
  ['127.0.0.0', 8, 'ipv4'],
  ['169.254.0.0', 16, 'ipv4'],
  ['172.16.0.0', 12, 'ipv4'],
  ['192.0.0.0', 24, 'ipv4'],
  ['192.168.0.0', 16, 'ipv4'],
  ['198.18.0.0', 15, 'ipv4'],
  ['224.0.0.0', 3, 'ipv4'],
  ['::', 127, 'ipv6'],
  ['fc00::', 7, 'ipv6'],
  ['fe80::', 10, 'ipv6'],
  ['ff00::', 8, 'ipv6'],
]

/** true for an address that is not on the public internet: loopback, private, link-local (cloud metadata), multicast. */
export function isPrivateAddress(address: string): boolean {
  const host = bare(address)
  const family = isIP(host)
  if (family === 0) return false
  const list = new BlockList()
  for (const [network, bits, type] of privateRanges) list.addSubnet(network, bits, type)
  if (family === 4) return list.check(host, 'ipv4')
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(host)
  return mapped === null ? list.check(host, 'ipv6') : list.check(mapped[1]!, 'ipv4')
}
