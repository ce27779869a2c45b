/** EXPOSE: `[ip:][hostPort:]port[-port][/protocol]`, of which the container's ports count. */
import { isIP } from 'node:net'
import type { ExposeNode } from '../../instructions/nodes.ts'
import type { InstructionPlanner } from '../context.ts'
import { planErrors } from '../errors.ts'

const PROTOCOLS = new Set(['tcp', 'udp', 'sctp'])

export const planExpose: InstructionPlanner<ExposeNode> = (node, stage) => {
  const words = node.ports.flatMap((p) => stage.expander.words(p, stage.env, node.raw))
  const ports = words.flatMap(parsePort)
  for (const port of ports) stage.ports.set(port, true)
  stage.commit(`EXPOSE [${ports.join(' ')}]`, { layer: false })
}

/** `PORT/protocol` for each port of the specification. */
export function parsePort(text: string): string[] {
  const parts = text.split(':')
  const container = parts.at(-1)!
  const hostPort = parts.length > 1 ? parts.at(-2)! : ''
  const ip = parts
    .slice(0, -2)
    .join(':')
    .replace(/^\[(.*)\]$/, '$1')
  if (ip !== '' && !isIP(ip)) throw planErrors.badPort([`invalid IP address: ${ip}`])
  const slash = container.indexOf('/')
  const range = slash < 0 ? container : container.slice(0, slash)
  const protocol = (slash < 0 ? '' : container.slice(slash + 1)).toLowerCase() || 'tcp'
  if (range === '') throw planErrors.badPort([`no port specified: ${text}<empty>`])
  if (!PROTOCOLS.has(protocol)) throw planErrors.badPort([`invalid proto: ${protocol}`])
  const [first, last] = parseRange(range) ?? fail(`invalid containerPort: ${range}`)
  if (hostPort !== '') {
    const [hostFirst, hostLast] = parseRange(hostPort) ?? fail(`invalid hostPort: ${hostPort}`)
    if (hostLast - hostFirst !== last - first && last !== first)
      fail(`invalid ranges specified for container and host Ports: ${range} and ${hostPort}`)
  }
  return Array.from({ length: last - first + 1 }, (_, i) => `${first + i}/${protocol}`)
}

function parseRange(text: string): [number, number] | undefined {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text)
  if (!match) return undefined
  const first = Number(match[1])
  const last = match[2] === undefined ? first : Number(match[2])
  return first <= last && last <= 65535 ? [first, last] : undefined
}

function fail(problem: string): never {
  throw planErrors.badPort([problem])
}
