/** Processes that leave their root filesystem so that whoever cleans up behind them might act on something else. */
import fs from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { SandboxMount } from '../executor.ts'
import { listTree, makeRootfs } from '../testing/small-rootfs.ts'
import type { Contract } from './contract.ts'

export function describeHostile(c: Contract): void {
  const { sh, traits } = c

  /** A directory that the process can write, with these files. */
  const directory = (name: string, files: Readonly<Record<string, string>>): string => {
    const path = join(c.directory, `${name}-${c.unique()}`)
    fs.mkdirSync(path)
    for (const [file, text] of Object.entries(files)) fs.writeFileSync(join(path, file), text)
    for (const at of [path, ...Object.keys(files).map((file) => join(path, file))])
      fs.chownSync(at, traits.uid, traits.uid)
    return path
  }
  const contents = (path: string): Record<string, string> =>
    Object.fromEntries(
      listTree(path)
        .filter((name) => !name.endsWith('/'))
        .map((name) => [name.slice(1), fs.readFileSync(join(path, name), 'utf8')]),
    )
  const cacheAt = (source: string, target: string): SandboxMount => ({ type: 'bind', source, target, readonly: false })
  const secretAt = (target: string): SandboxMount => {
    return { type: 'file', target, content: Buffer.from('hidden\n'), mode: 0o400, uid: 0, gid: 0 }
  }
  const victim = { null: 'n', full: 'f', cpuinfo: 'i', c: 'cache', s: 'secret', shm: 'shm' }

  describe('nothing outside is touched', () => {
    it('when a standard directory is replaced with a link', async () => {
      c.useNewRootfs()
      const host = directory('host', victim)
      await sh(`for d in dev proc sys; do rm -rf /$d; mv /$d /old-$d; ln -s ${host} /$d; done 2>/dev/null`)
      expect(contents(host)).toEqual(victim)
      c.useNewRootfs()
    })

    it('when the directory of mount targets is moved and a link put in its place', async () => {
      c.useNewRootfs()
      const host = directory('host', victim)
      const cache = directory('cache', { old: 'old' })
      await sh(`echo new > /x/c/new; mv /x /y && ln -s ${host} /x`, {
        mounts: [cacheAt(cache, '/x/c'), secretAt('/x/s')],
      })
      expect(contents(host)).toEqual(victim)
      expect(contents(cache)).toEqual({ old: 'old', new: 'new\n' })
      const left = listTree(c.rootfs).filter((path) => path.startsWith('/y'))
      for (const path of left) if (path === '/y/s') expect(fs.readFileSync(join(c.rootfs, path), 'utf8')).toBe('')
      c.useNewRootfs()
    })

    it('when mount targets are themselves moved, linked or replaced', async () => {
      c.useNewRootfs()
      const host = directory('host', victim)
      const cache = directory('cache', { old: 'old' })
      await sh(
        `ln /run/s /kept-too; mv /run/s /kept && ln -s ${host}/s /run/s; mv /c /elsewhere && ln -s ${host} /c; true`,
        { mounts: [cacheAt(cache, '/c'), secretAt('/run/s')] },
      )
      expect(contents(host)).toEqual(victim)
      expect(contents(cache)).toEqual({ old: 'old' })
      for (const name of ['kept', 'kept-too'])
        if (fs.existsSync(join(c.rootfs, name))) expect(fs.readFileSync(join(c.rootfs, name), 'utf8')).toBe('')
    })

    it('when a cache holds a link where the next process has a directory', async () => {
      c.useNewRootfs()
      const host = directory('host', victim)
      const cache = directory('cache', {})
      const mounts = [cacheAt(cache, '/c')]
      await sh(`ln -s ${host} /c/d; ln -s ${host}/s /c/f`, { mounts })
      await sh('rm /c/d /c/f; mkdir /c/d; echo x > /c/d/s; echo x > /c/f', { mounts })
      expect(contents(host)).toEqual(victim)
      expect(contents(cache)).toEqual({ 'd/s': 'x\n', f: 'x\n' })
    })
  })

  describe('a directory that several processes have at the same time', () => {
    it('gets the changes of all of them', async () => {
      const cache = directory('cache', { kept: 'kept', gone: 'gone', changed: 'before' })
      fs.chmodSync(cache, 0o777)
      const mounts = [cacheAt(cache, '/c')]
      const own = (): { rootfs: string } => ({
        rootfs: makeRootfs(join(c.directory, `rootfs-${c.unique()}`), traits.uid),
      })
      const wait = 'for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.1; done'
      await Promise.all([
        sh(`echo a > /c/a; mkdir -p /c/d/e; echo 1 > /c/d/e/1; rm /c/gone; ${wait}`, { mounts }, own()),
        sh(`echo b > /c/b; mkdir -p /c/d/e; echo 2 > /c/d/e/2; echo after > /c/changed; ${wait}`, { mounts }, own()),
      ])
      expect(contents(cache)).toEqual({
        kept: 'kept',
        changed: 'after\n',
        a: 'a\n',
        b: 'b\n',
        'd/e/1': '1\n',
        'd/e/2': '2\n',
      })
      await sh('rm -rf /c/d /c/b; mv /c/a /c/z; chmod 700 /c/kept', { mounts })
      expect(contents(cache)).toEqual({ kept: 'kept', changed: 'after\n', z: 'a\n' })
      expect(fs.statSync(join(cache, 'kept')).mode & 0o777).toBe(0o700)
      expect(fs.existsSync(join(cache, 'd'))).toBe(false)
    })
  })
}
