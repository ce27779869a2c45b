/** The root filesystem and mounts. */
import fs from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { ProcessSpec, SandboxMount } from '../executor.ts'
import { listTree } from '../testing/small-rootfs.ts'
import type { Contract } from './contract.ts'

export function describeFiles(c: Contract): void {
  const { sh, failure, traits } = c

  describe('the root filesystem', () => {
    it('keeps nothing of the mounts but the standard directories', async () => {
      c.useNewRootfs()
      const before = listTree(c.rootfs)
      const made = join(c.directory, `shared-${c.unique()}`)
      fs.mkdirSync(made, { mode: 0o777 })
      fs.writeFileSync(join(made, 'f'), 'bound\n')
      fs.chmodSync(made, 0o777)
      const etc = fs.statSync(join(c.rootfs, 'etc'), { bigint: true }).mtimeNs
      const ran = await sh('cat /etc/hosts /etc/resolv.conf /mnt/deep/dir/f /run/secrets/s; ls -l /run/secrets/s', {
        hosts: '127.0.0.1 localhost\n',
        resolvConf: 'nameserver 192.0.2.1\n',
        mounts: [
          { type: 'bind', source: made, target: '/mnt/deep/dir', readonly: true },
          { type: 'file', target: '/run/secrets/s', content: Buffer.from('secret\n'), mode: 0o400, uid: 0, gid: 0 },
        ],
      })
      expect(ran.out).toContain('127.0.0.1 localhost\nnameserver 192.0.2.1\nbound\nsecret\n-r--------')
      const standard = ['/dev/', '/proc/', '/sys/']
      expect(listTree(c.rootfs).filter((path) => !before.includes(path))).toEqual(standard)
      expect(fs.statSync(join(c.rootfs, 'etc'), { bigint: true }).mtimeNs).toBe(etc)
      for (const path of standard) expect(fs.statSync(join(c.rootfs, path)).mode & 0o7777).toBe(0o755)
    })

    it('keeps what the process puts where a mount point was not', async () => {
      c.useNewRootfs()
      await sh('echo x > /new; rm /bin/yes; mkdir -p /run/own; echo y > /run/own/f', {
        mounts: [{ type: 'file', target: '/run/secrets/s', content: Buffer.from('s'), mode: 0o400, uid: 0, gid: 0 }],
      })
      const tree = listTree(c.rootfs)
      expect(tree).toEqual(expect.arrayContaining(['/new', '/run/own/f']))
      expect(tree.filter((path) => path.startsWith('/run/secrets') || path === '/bin/yes')).toEqual([])
    })
  })

  describe('mounts', () => {
    const shared = (content = 'bound\n'): string => {
      const path = join(c.directory, `shared-${c.unique()}`)
      fs.mkdirSync(path)
      fs.writeFileSync(join(path, 'f'), content)
      for (const at of [path, join(path, 'f')]) fs.chownSync(at, traits.uid, traits.uid)
      return path
    }

    it('show directories and files, and write through only where they may', async () => {
      const source = shared()
      const ran = await sh(
        'cat /a/f /b/f /c; echo new > /a/f && echo wrote; (echo new > /b/f) 2>/dev/null || echo refused; cat /c',
        {
          mounts: [
            { type: 'bind', source, target: '/a', readonly: false },
            { type: 'bind', source, target: '/b', readonly: true },
            { type: 'bind', source: join(source, 'f'), target: '/c', readonly: true },
          ],
        },
      )
      expect(ran.out).toBe(`bound\nbound\nbound\nwrote\n${traits.mounts ? 'refused\nnew' : 'bound'}\n`)
    })

    it('of files can be executed if their mode says so, and only then', async () => {
      const file = (target: string, mode: number): SandboxMount => {
        return { type: 'file', target, content: Buffer.from('#!/bin/sh\necho ran $0\n'), mode, uid: 0, gid: 0 }
      }
      const ran = await sh('for f in /run/s/700 /run/s/555 /run/s/400; do $f 2>/dev/null || echo refused $f; done', {
        mounts: [file('/run/s/700', 0o700), file('/run/s/555', 0o555), file('/run/s/400', 0o400)],
      })
      expect(ran.out).toBe('ran /run/s/700\nran /run/s/555\nrefused /run/s/400\n')
      if (traits.mounts) {
        const { out } = await sh(
          `while read -r line; do case $line in *\\ /run/s/*) echo "$line"; esac; done </proc/self/mountinfo`,
          {
            mounts: [file('/run/s/700', 0o700), file('/run/s/400', 0o400)],
          },
        )
        if (traits.isolated) expect(out.match(/noexec/g)).toHaveLength(1)
      }
    })

    it('never lead out of the root, and follow links inside it', async () => {
      c.useNewRootfs()
      const outside = join(c.directory, `outside-${c.unique()}`)
      fs.mkdirSync(outside)
      fs.symlinkSync(outside, join(c.rootfs, 'abs'))
      fs.symlinkSync('../../../../../..', join(c.rootfs, 'up'))
      fs.symlinkSync('/home/alice', join(c.rootfs, 'inside'))
      const source = shared()
      const ran = await sh('cat /abs/x/f /up/y/f /home/alice/z/f', {
        mounts: ['/abs/x', '/up/y', '/inside/z'].map((target) => ({ type: 'bind', source, target, readonly: true })),
      })
      expect(ran).toMatchObject({ exitCode: 0, out: 'bound\nbound\nbound\n' })
      expect(fs.readdirSync(outside)).toEqual([])
    })

    it('nest, the outer one first', async () => {
      const [outer, inner] = [shared('outer\n'), shared('inner\n')]
      const ran = await sh('cat /m/f /m/sub/f', {
        mounts: [
          { type: 'bind', source: inner, target: '/m/sub', readonly: true },
          { type: 'bind', source: outer, target: '/m', readonly: false },
        ],
      })
      expect(ran.out).toBe('outer\ninner\n')
    })

    it('are refused where they would take the place of standard ones, or meet another type', async () => {
      const source = shared()
      for (const target of ['/', '/proc', '/dev/'])
        expect((await failure({ mounts: [{ type: 'bind', source, target, readonly: true }] })).message).toContain(
          'this place is taken',
        )
      expect(
        (await failure({ mounts: [{ type: 'bind', source, target: '/etc/passwd', readonly: true }] })).message,
      ).toMatch(/not a directory/i)
    })

    it('of temporary file systems start empty and end with the process', async () => {
      c.useNewRootfs()
      const spec: Partial<ProcessSpec> = { mounts: [{ type: 'tmpfs', target: '/tmp', size: 1_048_576, mode: 0o700 }] }
      fs.writeFileSync(join(c.rootfs, 'tmp/below'), '')
      const ran = await sh(
        'ls /tmp; stat -c %a /tmp; echo x > /tmp/mine; head -c 3000000 /dev/zero > /tmp/big 2>/dev/null && echo fits',
        spec,
      )
      expect(ran.out).toBe(traits.mounts ? '700\n' : '700\nfits\n')
      expect(fs.readdirSync(join(c.rootfs, 'tmp'))).toEqual(['below'])
    })
  })
}
