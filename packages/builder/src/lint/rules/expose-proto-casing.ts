import type { ExposeNode } from '../../instructions/nodes.ts'
import type { PortSpec } from '../ports.ts'
import { defineRule, type Reporter } from '../rule.ts'

export const exposeProtoCasing = defineRule({
  name: 'ExposeProtoCasing',
  description: 'Protocol in EXPOSE instruction should be lowercase',
  url: 'https://docs.docker.com/go/dockerfile/rule/expose-proto-casing/',
  message: (port: string) => `Defined protocol '${port}' in EXPOSE instruction should be lowercase`,
  doc: {
    why: 'The image holds the protocol in lower case whatever the file says.',
    bad: 'FROM alpine\nEXPOSE 80/TcP',
    good: 'FROM alpine\nEXPOSE 80/tcp',
    fix: 'writes the protocol in lower case',
  },
})

export function checkProtocolCasing(reporter: Reporter, node: ExposeNode, port: PortSpec): void {
  if (port.protocol !== port.protocol.toLowerCase()) reporter.report(exposeProtoCasing, [port.text], node.raw)
}
