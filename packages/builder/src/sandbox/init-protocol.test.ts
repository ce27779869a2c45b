import { expect, it } from 'vitest'
import { decodeSpec, encodeSpec, type InitSpec } from './init-protocol.ts'

it('carries a specification as it is', () => {
  const spec: InitSpec = {
    mode: 'namespaces',
    ownMounts: false,
    process: {
      args: ['a\udcffb', ''],
      env: ['A={"base64":"eA=="}', 'B=\u0000'],
      cwd: '/',
      user: { uid: 4294967294, gid: 0, additionalGids: [1] },
      hostname: 'h',
      network: 'none',
      hosts: undefined,
      resolvConf: 'x',
      mounts: [
        { type: 'file', target: '/s', content: Buffer.from([0, 255, 128]), mode: 0o400, uid: 0, gid: 0 },
        { type: 'tmpfs', target: '/t' },
      ],
      security: 'sandbox',
      ulimits: [{ name: 'core', soft: -1, hard: -1 }],
      resources: {},
    },
    rootfs: '/r',
    cgroups: [],
    singleId: false,
    seccomp: new Uint8Array([1, 2, 3]),
    terminal: false,
    waitForGo: false,
  }
  const decoded = decodeSpec(encodeSpec(spec))
  expect(decoded).toEqual({ ...spec, seccomp: Buffer.from([1, 2, 3]) })
  expect(Buffer.isBuffer(decoded.seccomp)).toBe(true)
})
