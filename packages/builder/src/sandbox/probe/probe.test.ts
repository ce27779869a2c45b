import fs from 'node:fs'
import os from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { MachineReport } from './facts.ts'
import { probeMachine } from './probe.ts'
import { isolationVerdict } from './verdict.ts'

const yes = { ok: true, detail: '' }
const no = { ok: false, detail: 'Operation not permitted' }
const machine: MachineReport = {
  kernel: '6.1',
  architecture: 'x64',
  user: { uid: 0, name: 'root' },
  container: false,
  mountNamespace: yes,
  userNamespace: yes,
  subordinateIds: yes,
  overlay: yes,
  cgroups: { ...yes, version: 'v2', writable: [] },
  seccomp: yes,
  chroot: yes,
  runtimes: [],
  binfmt: [],
  networkHelper: no,
  store: { ...yes, path: '/x', fileSystem: 'ext4', freeBytes: 1 },
  hindrances: [],
}
const user = { uid: 1000, name: 'alice' }

describe('the verdict', () => {
  it.each<[string, Partial<MachineReport>, string, RegExp | undefined]>([
    ['root', {}, 'namespaces', undefined],
    [
      'root in a container',
      { mountNamespace: no, userNamespace: no, container: true },
      'chroot',
      /--cap-add SYS_ADMIN.*securityContext/,
    ],
    ['root without anything', { mountNamespace: no, userNamespace: no, chroot: no }, 'none', /CAP_SYS_ADMIN/],
    ['a user with ids', { user, mountNamespace: no, chroot: no }, 'namespaces', undefined],
    [
      'a user with one id',
      { user, mountNamespace: no, chroot: no, subordinateIds: no },
      'namespaces',
      /usermod --add-subuids .* alice/,
    ],
    [
      'a user without user namespaces',
      { user, mountNamespace: no, chroot: no, userNamespace: no },
      'none',
      /run as root/,
    ],
    [
      'a user in a container',
      { user, mountNamespace: no, chroot: no, userNamespace: no, container: true },
      'none',
      /runAsUser: 0/,
    ],
    [
      'a user whom a setting hinders',
      { user, userNamespace: no, chroot: no, hindrances: [{ setting: 'kernel.x', value: '1', needed: '0' }] },
      'none',
      /sysctl -w kernel\.x=0/,
    ],
  ])('for %s', (_who, changes, level, raise) => {
    const verdict = isolationVerdict({ ...machine, ...changes })
    expect(verdict.level).toBe(level)
    if (raise === undefined) expect(verdict.raise).toBeUndefined()
    else expect(verdict.raise).toMatch(raise)
  })
})

describe.skipIf(process.platform !== 'linux')('the probe (needs Linux)', () => {
  it('sees this machine and leaves nothing behind', async () => {
    const root = fs.mkdtempSync(join(os.tmpdir(), 'tsbuild-probe-'))
    try {
      const report = await probeMachine({ root, env: process.env })
      expect(report).toMatchObject({
        kernel: os.release(),
        user: { uid: process.getuid?.() },
        store: { ok: true, path: root },
      })
      expect(report.store.freeBytes).toBeGreaterThan(0)
      expect(fs.readdirSync(root)).toEqual([])
    } finally {
      fs.rmSync(root, { recursive: true })
    }
  })
})
