import type { ExposeNode } from '../../instructions/nodes.ts'
import type { PortSpec } from '../ports.ts'
import { defineRule, type Reporter } from '../rule.ts'

export const exposeInvalidFormat = defineRule({
  name: 'ExposeInvalidFormat',
  description:
    'IP address and host-port mapping should not be used in EXPOSE instruction. This will become an error in a future release',
  url: 'https://docs.docker.com/go/dockerfile/rule/expose-invalid-format/',
  message: (port: string) => `EXPOSE instruction should not define an IP address or host-port mapping, found '${port}'`,
  doc: {
    why: 'EXPOSE names ports of the container. Addresses and ports of the host are given when the container is started.',
    bad: 'FROM alpine\nEXPOSE 127.0.0.1:80:80',
    good: 'FROM alpine\nEXPOSE 80',
  },
})

export function checkPortFormat(reporter: Reporter, node: ExposeNode, port: PortSpec): void {
  if (port.address !== '' || port.hostPort !== '') reporter.report(exposeInvalidFormat, [port.text], node.raw)
}
