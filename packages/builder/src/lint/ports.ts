/** How the reference takes an argument of EXPOSE apart: `[ADDRESS:][HOSTPORT:]PORT[/PROTOCOL]`. */

export interface PortSpec {
  /** As written, variables replaced. */
  readonly text: string
  readonly address: string
  readonly hostPort: string
  /** A port or a range. */
  readonly port: string
  /** As written; `tcp` if there is none. */
  readonly protocol: string
}

const protocols: ReadonlySet<string> = new Set(['tcp', 'udp', 'sctp'])

/** Takes a port apart; undefined if it has no port or an unknown protocol, which is an error of the build. */
export function parsePortSpec(text: string): PortSpec | undefined {
  const parts = text.split(':')
  const container = parts.at(-1)!
  const hostPort = parts.at(-2) ?? ''
  const address = parts.slice(0, -2).join(':')
  const slash = container.indexOf('/')
  const port = slash < 0 ? container : container.slice(0, slash)
  const protocol = (slash < 0 ? '' : container.slice(slash + 1)) || 'tcp'
  if (port === '' || !protocols.has(protocol.toLowerCase())) return undefined
  return { text, address, hostPort, port, protocol }
}
