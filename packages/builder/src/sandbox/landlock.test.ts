import { execFileSync, spawn } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { raw } from './native/libc.ts'
import { ownDriver } from './testing/driver.ts'
import { busybox, makeRootfs } from './testing/small-rootfs.ts'

const root = fs.mkdtempSync(join(os.tmpdir(), 'tsbuild-landlock-'))
afterAll(() => execFileSync('rm', ['-rf', root]))

const LANDLOCK_CREATE_RULESET = 444
const version = process.platform === 'linux' ? raw.syscall(LANDLOCK_CREATE_RULESET, 0, 0, 1, 0, 0, 0) : -1

it.skipIf(process.getuid?.() !== 0 || busybox === undefined || version < 6)(
  'a RUN by chroot can signal its own processes only (needs root, a static busybox, Linux 6.12 with Landlock)',
  async () => {
    await using driver = await ownDriver(root, 'plain')
    const other = spawn('sleep', ['1000'], { stdio: 'ignore' })
    try {
      let out = ''
      const exit = await driver.call(
        'run',
        {
          select: { isolation: 'chroot', ociRuntime: undefined, root },
          rootfs: makeRootfs(join(root, 'rootfs')),
          stdin: undefined,
          count: false,
          spec: {
            args: ['sh', '-c', `kill -9 ${other.pid} || echo refused; sleep 1000 & kill -9 $! && echo own`],
            env: ['PATH=/bin'],
            cwd: '/',
            user: { uid: 0, gid: 0, additionalGids: [0] },
            hostname: 'x',
            network: 'host',
            hosts: undefined,
            resolvConf: undefined,
            mounts: [],
            security: 'sandbox',
            ulimits: [],
            resources: {},
          },
        },
        {
          onEvent: (event) => {
            out += Buffer.from((event as { data: Uint8Array }).data).toString()
          },
        },
      )
      expect(exit).toMatchObject({ exitCode: 0 })
      expect(out).toMatch(/refused\nown\n/)
      expect(other.exitCode ?? other.signalCode).toBeNull()
    } finally {
      other.kill('SIGKILL')
    }
  },
  60_000,
)
