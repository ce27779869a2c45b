/** EXPOSE: `[ip:][hostPort:]port[-port][/protocol]`, of which the container's ports count. */
import { isIP } from 'node:net'
import type { ExposeNode } from '../../instructions/nodes.ts'
import type { InstructionPlanner } from '../context.ts'
import { planErrors } from '../errors.ts'

/** Ports that one file may list, each as often as it is named: a short line can name very many. */
export const MAX_PORTS = 500_000

const PROTOCOLS = new Set(['tcp', 'udp', 'sctp'])

export const planExpose: InstructionPlanner<ExposeNode> = (node, stage, { portBudget }) => {
  const ports: string[] = []
  for (const written of node.ports) {
    for (const word of stage.expander.words(written, stage.env, node.raw)) {
      const { first, last, protocol } = parsePort(word)
      portBudget.left -= last - first + 1
      if (portBudget.left < 0) throw planErrors.badPort([`EXPOSE lists more than ${MAX_PORTS} ports`])
      for (let port = first; port <= last; port++) ports.push(`${port}/${protocol}`)
    }
  }
  for (const port of ports) stage.ports.set(port, true)
  stage.commit(`EXPOSE [${ports.join(' ')}]`, { layer: false })
}

/** Ports of a specification. */
interface PortRange {
  readonly first: number
  readonly last: number
  readonly protocol: string
}

function parsePort(text: string): PortRange {
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
  return { first, last, protocol }
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
