import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import type { ResourceLimits } from '../executor.ts'
import { ControlGroup, type GroupOptions } from './group.ts'
import { findPlaces } from './hierarchy.ts'
import { groupName } from './sweep.ts'

const mount = fs.mkdtempSync(join(tmpdir(), 'tsbuild-group-'))
afterAll(() => fs.rmSync(mount, { recursive: true }))

describe('groups', () => {
  it('of runs that go on are left alone by others, though no process has joined them', async () => {
    // Plain directories: what counts is which of them are removed.
    const options = (): GroupOptions => ({
      limits: { memory: 1000 },
      parent: '/parent',
      name: groupName(),
      cgroup: '4:memory:/\n',
      mountinfo: `31 30 0:30 / ${mount} rw - cgroup cgroup rw,memory\n`,
    })
    // Files would keep a plain directory from being removed.
    const empty = (group: ControlGroup | undefined): readonly string[] => {
      for (const directory of group!.directories)
        for (const file of fs.readdirSync(directory)) fs.unlinkSync(join(directory, file))
      return group!.directories
    }
    const first = await ControlGroup.open(options())
    const directories = empty(first)
    const second = await ControlGroup.open(options())
    empty(second)
    expect(directories.filter((directory) => fs.existsSync(directory))).toEqual(directories)
    await second!.remove()
    await first!.remove()
    expect(fs.readdirSync(mount)).toEqual([])
  })

  it('are made in every hierarchy below a parent, whatever is limited', async () => {
    const fake = fs.mkdtempSync(join(mount, 'fake-'))
    const [memory, pids] = ['memory', 'pids'].map((name) => join(fake, name)) as [string, string]
    for (const directory of [memory, pids]) fs.mkdirSync(directory)
    const options = (parent: string | undefined): GroupOptions => ({
      limits: {},
      parent,
      name: groupName(),
      cgroup: '4:memory:/\n5:pids:/\n',
      mountinfo: `31 30 0:30 / ${memory} rw - cgroup cgroup rw,memory\n32 30 0:31 / ${pids} rw - cgroup cgroup rw,pids\n`,
    })
    expect(await ControlGroup.open(options(undefined))).toBeUndefined()
    const group = await ControlGroup.open(options('a/b'))
    expect(group!.directories.map((directory) => dirname(directory))).toEqual([join(memory, 'a/b'), join(pids, 'a/b')])
    for (const directory of group!.directories) expect(fs.existsSync(directory)).toBe(true)
    await group!.remove()
    expect([...fs.readdirSync(memory), ...fs.readdirSync(pids)]).toEqual([])
    for (const directory of [memory, pids]) fs.writeFileSync(join(directory, 'file'), '')
    await expect(ControlGroup.open(options('/file'))).rejects.toMatchObject({
      code: 'LIMIT_UNAVAILABLE',
      message: 'cannot make groups below --cgroup-parent /file (not a directory): no writable control group',
    })
  })

  const here = {
    cgroup: fs.readFileSync('/proc/self/cgroup', 'utf8'),
    mountinfo: fs.readFileSync('/proc/self/mountinfo', 'utf8'),
  }
  const own = findPlaces(here.cgroup, here.mountinfo).get('cpu')?.own
  const usable = process.getuid?.() === 0 && own !== undefined && isWritable(own)

  it.skipIf(!usable).each<[limits: ResourceLimits, message: RegExp]>([
    [{ cpuPeriod: 1 }, /^the kernel refuses "[^"]*1" for cpu\.\S+: invalid argument$/],
    [{ cpusetCpus: '9999' }, /^the kernel refuses "9999" for cpuset\.cpus: \S/],
  ])('say which value the kernel refuses: %j', async (limits, message) => {
    const name = groupName()
    const opening = ControlGroup.open({ ...here, limits, parent: undefined, name })
    await expect(opening).rejects.toMatchObject({ code: 'BAD_LIMIT', message: expect.stringMatching(message) })
    expect(fs.existsSync(join(own!, name))).toBe(false)
  })
})

function isWritable(directory: string): boolean {
  try {
    fs.accessSync(directory, fs.constants.W_OK)
    return true
  } catch {
    return false
  }
}
