/** What a process can do to the machine's own files that are shown to it. */
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import { dirname, join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { describe, expect, it } from 'vitest'
import { devices } from '../mounts/standard.ts'
import type { Contract } from './contract.ts'

/** Everything about a file that a process could change; not when it was read. */
function stateOf(path: string): unknown {
  const { mode, uid, gid, size, mtimeNs, ctimeNs, nlink } = fs.statSync(path, { bigint: true })
  return { mode, uid, gid, size, mtimeNs, ctimeNs, nlink }
}

/**
 * Does something that must not touch a file of the machine. An inode counts its links and its last change also for those
 * who link it elsewhere meanwhile, as package managers do with Node; so a change counts if it comes each time.
 */
async function withoutTouching(path: string, act: () => Promise<void>): Promise<void> {
  for (let left = 4; ; left--) {
    const before = stateOf(path)
    await act()
    const after = stateOf(path)
    if (left === 0) return expect(after).toEqual(before)
    if (isDeepStrictEqual(after, before)) return
  }
}

/** Puts what Node needs to run into a root filesystem: with it, a process that gets hold of the machine's Node can run it. */
function addLibraries(rootfs: string): void {
  const listed = execFileSync('ldd', [process.execPath], { encoding: 'utf8' })
  for (const path of listed.match(/\/\S+/g) ?? []) {
    fs.mkdirSync(dirname(join(rootfs, path)), { recursive: true })
    fs.copyFileSync(path, join(rootfs, path))
  }
}

const attack = `
  const fs = require('fs')
  const links = ['/proc/self/exe', '/proc/1/exe', '/proc/' + process.pid + '/exe']
  for (const link of links) for (const [name, act] of Object.entries({
    chmod: () => fs.chmodSync(link, fs.statSync(link).mode & 0o7777),
    chown: () => fs.chownSync(link, 0, 0),
    utimes: () => fs.utimesSync(link, fs.statSync(link).atime, fs.statSync(link).mtime),
    write: () => fs.closeSync(fs.openSync(link, 'r+')),
    truncate: () => fs.truncateSync(link, fs.statSync(link).size),
  })) try { act(); console.log(name, link) } catch {}
  console.log('ran')`

export function describeMachine(c: Contract): void {
  const { run, sh, traits } = c

  describe('the machine’s own files', () => {
    it('are not what a process can execute: Node, by any link to what ran before it', async () => {
      c.useNewRootfs()
      addLibraries(c.rootfs)
      const script = join(c.rootfs, 'tmp/script')
      fs.writeFileSync(script, `#!/proc/self/exe\n${attack}`, { mode: 0o755 })
      for (const args of [['/proc/self/exe', '-e', attack], ['/proc/1/exe', '-e', attack], ['/tmp/script']])
        await withoutTouching(process.execPath, async () => {
          const ran = await run({ args, env: [] }).catch((error: Error) => ({ out: '', error }))
          expect(ran.out).toBe('')
        })
    }, 60_000)

    it.skipIf(!traits.isolated)('are not what its links in /proc lead to', async () => {
      await withoutTouching(process.execPath, async () => {
        const { out } = await sh(
          'for p in 1 self $$; do readlink /proc/$p/exe; ls -d /proc/$p/map_files/* 2>/dev/null; done',
        )
        expect(new Set(out.trim().split('\n'))).toEqual(new Set(['/bin/busybox']))
      })
    })

    it('are not its devices, nor its input: changing these changes nothing outside', async () => {
      const names = Object.keys(devices).filter((name) => name !== 'tty')
      const states = (): unknown => names.map((name) => [name, stateOf(`/dev/${name}`)])
      const before = states()
      const paths = names.map((name) => `/dev/${name}`).join(' ')
      await sh(
        `for f in ${paths} /proc/self/fd/0; do chmod 666 $f; chown 0:0 $f; touch $f; done 2>/dev/null; chmod 666 /dev/stdin; touch /dev/stdin`,
      )
      expect(states()).toEqual(before)
      const { out } = await sh(
        `for f in ${paths}; do stat -c '%n %a %F' $f; : < $f; done; : > /dev/null; echo x > /dev/zero; cat`,
      )
      expect(out).toBe(names.map((name) => `/dev/${name} 666 character special file\n`).join(''))
    })
  })
}
