/** What the worker walks over leads nowhere by a link, and what a process sees of it still does. */
import { execFileSync, spawnSync } from 'node:child_process'
import { chownSync, mkdtempSync } from 'node:fs'
import { release, tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

const isRoot = process.getuid?.() === 0
/** An ordinary user to become as root; any id will do. */
const USER = 12345
const places = [
  { name: 'as root', command: ['unshare', '-m'], owner: 0 },
  {
    name: 'as an ordinary user',
    command: ['setpriv', `--reuid=${USER}`, `--regid=${USER}`, '--clear-groups', 'unshare', '-r', '-m'],
    owner: USER,
  },
]
const [major = 0, minor = 0] = release().split('.').map(Number)
const canRefuse = major > 5 || (major === 5 && minor >= 12)

const source = (path: string): string => JSON.stringify(new URL(`../${path}`, import.meta.url).pathname)
const script = `
  import fs from 'node:fs'
  import { join } from 'node:path'
  import { bindOn } from ${source('sandbox/native/mount.ts')}
  import { refuseLinks } from ${source('sandbox/mounts/own-trees.ts')}
  import { openSnapshotter } from ${source('snapshot/index.ts')}

  const base = process.argv[1]
  const [walked, shown] = [join(base, 'snapshots'), join(base, 'shown')]
  for (const path of [walked, shown]) fs.mkdirSync(path)
  const told = (use) => {
    try {
      return use()
    } catch (error) {
      return error.code
    }
  }
  const fill = (root) => {
    fs.mkdirSync(join(root, 'real'))
    fs.writeFileSync(join(root, 'real/f'), 'content')
    fs.symlinkSync('real', join(root, 'link'))
  }
  const look = (root) => {
    const [link, file] = [join(root, 'link'), join(root, 'link/f')]
    return {
      list: told(() => fs.readdirSync(link).join()),
      read: told(() => fs.readFileSync(file, 'utf8')),
      stat: told(() => fs.lstatSync(file).size),
      change: told(() => fs.lutimesSync(file, 1, 1)) ?? 'changed',
      unlink: told(() => fs.unlinkSync(join(root, 'link/none'))),
      itself: [fs.lstatSync(link).isSymbolicLink(), fs.readlinkSync(link)].join(),
      real: fs.readFileSync(join(root, 'real/f'), 'utf8'),
    }
  }
  const throughMount = (root) => {
    const [from, to] = [root, shown].map((path) => fs.openSync(path, fs.constants.O_DIRECTORY))
    bindOn(from, to, { recursive: true })
    for (const fd of [from, to]) fs.closeSync(fd)
    return look(shown)
  }

  refuseLinks([walked])
  const plain = join(walked, 'plain')
  fs.mkdirSync(plain)
  fill(plain)
  await using snapshotter = openSnapshotter(walked, 'overlay').snapshotter
  for (const id of ['a', 'b']) {
    await using active = await snapshotter.prepare(id === 'a' ? [] : ['a'])
    if (id === 'a') fill(active.root)
    await active.commit(id)
  }
  await using active = await snapshotter.prepare(['a'])
  await using one = await snapshotter.view(['a'])
  await using two = await snapshotter.view(['a', 'b'])
  console.log(JSON.stringify({
    plain: look(plain), active: look(active.root), one: look(one.root), two: look(two.root),
    mounted: throughMount(active.root),
  }))`

const refused = {
  ...{ list: 'ELOOP', read: 'ELOOP', stat: 'ELOOP', change: 'ELOOP', unlink: 'ELOOP' },
  ...{ itself: 'true,real', real: 'content' },
}
const followed = {
  ...{ list: 'f', read: 'content', stat: 7, change: 'changed', unlink: 'ENOENT' },
  ...{ itself: 'true,real', real: 'content' },
}

describe.skipIf(!isRoot || !canRefuse)('links in snapshots (needs root, Linux 5.12)', () => {
  it.each(places)('are followed through mounts of processes only, $name', ({ command, owner }) => {
    const directory = mkdtempSync(join(tmpdir(), 'walked-trees-'))
    try {
      chownSync(directory, owner, owner)
      const node = [process.execPath, '--input-type=module-typescript', '-e', script, directory]
      const [file, ...args] = [...command, ...node]
      const { stdout, stderr } = spawnSync(file!, args, { encoding: 'utf8' })
      expect(stderr).toBe('')
      expect(JSON.parse(stdout)).toEqual({
        plain: refused,
        active: refused,
        one: refused,
        two: refused,
        mounted: followed,
      })
    } finally {
      execFileSync('rm', ['-rf', directory])
    }
  })
})
