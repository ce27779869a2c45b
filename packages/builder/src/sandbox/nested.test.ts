import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import type { SandboxMount } from './executor.ts'
import { ownDriver } from './testing/driver.ts'
import { busybox } from './testing/small-rootfs.ts'

const root = fs.mkdtempSync(join(os.tmpdir(), 'tsbuild-nested-'))
afterAll(() => execFileSync('rm', ['-rf', root]))

/** This repository and what Node needs of the machine. */
const repository = resolve(import.meta.dirname, '../../../..')
const shown = ['/usr', '/bin', '/lib', '/lib64', repository, fs.realpathSync(process.execPath)].filter((path) =>
  fs.existsSync(path),
)

describe.skipIf(process.getuid?.() !== 0 || busybox === undefined)(
  'in a container with docker’s default rights (needs root, a static busybox)',
  () => {
    it('RUN works by chroot, and says so', async () => {
      await using driver = await ownDriver(root)
      const rootfs = join(root, 'rootfs')
      fs.mkdirSync(join(rootfs, 'tmp/state'), { recursive: true })
      let out = ''
      const exit = await driver.call(
        'run',
        {
          select: { isolation: 'namespaces', ociRuntime: undefined, root },
          rootfs,
          stdin: undefined,
          count: false,
          spec: {
            args: [fs.realpathSync(process.execPath), join(import.meta.dirname, 'testing/nested-main.ts')],
            env: ['PATH=/usr/sbin:/usr/bin:/sbin:/bin'],
            cwd: '/',
            user: { uid: 0, gid: 0, additionalGids: [0] },
            hostname: 'outer',
            network: 'host',
            hosts: undefined,
            resolvConf: undefined,
            mounts: shown.map(
              (path): SandboxMount => ({ type: 'bind', source: fs.realpathSync(path), target: path, readonly: true }),
            ),
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
      expect(exit, out).toMatchObject({ exitCode: 0 })
      expect(JSON.parse(out)).toMatchObject({
        mode: 'plain',
        described: { name: 'chroot', announcement: expect.stringContaining('isolated by chroot only') },
        exit: { exitCode: 0 },
        out: '0\n192.0.2.1 x\nsecret\nend\n',
      })
    }, 60_000)
  },
)
