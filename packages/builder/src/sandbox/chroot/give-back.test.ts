import fs from 'node:fs'
import os from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { O_DIRECTORY } from '../native/files.ts'
import { copyTree } from './copy-tree.ts'
import { giveBack } from './give-back.ts'

let root: string
let fds: number[] = []
beforeEach(() => {
  root = fs.mkdtempSync(join(os.tmpdir(), 'tsbuild-give-back-'))
})
afterEach(() => {
  for (const fd of fds) fs.closeSync(fd)
  fds = []
  fs.rmSync(root, { recursive: true, force: true })
})

function open(path: string): number {
  const fd = fs.openSync(path, O_DIRECTORY)
  fds.push(fd)
  return fd
}

function write(directory: string, files: Record<string, string>): void {
  for (const [name, content] of Object.entries(files)) {
    fs.mkdirSync(join(directory, name, '..'), { recursive: true })
    fs.writeFileSync(join(directory, name), content)
  }
}

/** Files below a directory with their contents. */
function contents(directory: string): Record<string, string> {
  const names = fs.readdirSync(directory, { recursive: true, encoding: 'utf8' }).sort()
  const files = names.filter((name) => fs.statSync(join(directory, name)).isFile())
  return Object.fromEntries(files.map((name) => [name, fs.readFileSync(join(directory, name), 'utf8')]))
}

/** Makes copies of a directory, has each changed, and brings the changes back at the same time. */
async function change(origin: string, changes: readonly ((copy: string) => void)[]): Promise<void> {
  const place = join(origin, '..')
  const [from, to] = [open(origin), open(place)]
  const copies = []
  for (const [i] of changes.entries()) {
    const known = await copyTree(from, to, `copy-${i}`)
    copies.push({ path: join(place, `copy-${i}`), known: known! })
  }
  for (const [i, apply] of changes.entries()) apply(copies[i]!.path)
  await Promise.all(copies.map(({ path, known }) => giveBack(open(path), known, from)))
}

describe.skipIf(process.platform !== 'linux')('giving back changes (needs Linux)', () => {
  it('merges new directories that several have made', async () => {
    const origin = join(root, 'origin')
    write(origin, { kept: 'kept', gone: 'gone' })
    const writers = Array.from({ length: 8 }, (_, i) => String(i))
    await change(
      origin,
      writers.map((name) => (copy) => {
        write(copy, { [`d/e/${name}`]: name, [`d/${name}/f`]: name, [name]: name })
        fs.chmodSync(join(copy, 'd/e'), 0o750)
        fs.rmSync(join(copy, 'gone'))
      }),
    )
    expect(contents(origin)).toEqual(
      Object.fromEntries([
        ['kept', 'kept'],
        ...writers.flatMap((name) => [`d/e/${name}`, `d/${name}/f`, name].map((path) => [path, name])),
      ]),
    )
    expect(fs.statSync(join(origin, 'd/e')).mode & 0o777).toBe(0o750)
  })

  it('puts directories where files were, and files where directories were', async () => {
    const origin = join(root, 'origin')
    write(origin, { file: 'x', 'directory/a': 'a', 'directory/b/c': 'c', link: '' })
    fs.rmSync(join(origin, 'link'))
    fs.symlinkSync('/nowhere', join(origin, 'link'))
    await change(origin, [
      (copy) => {
        for (const name of ['file', 'directory', 'link']) fs.rmSync(join(copy, name), { recursive: true })
        write(copy, { 'file/inside': '1', directory: '2', 'link/inside': '3' })
      },
    ])
    expect(contents(origin)).toEqual({ 'file/inside': '1', directory: '2', 'link/inside': '3' })
  })

  it('leaves what others have deleted, and keeps what they have put beside, whoever is first', async () => {
    for (let round = 0; round < 50; round++) {
      const origin = join(root, String(round), 'origin')
      write(origin, { 'd/unchanged': 'x', 'd/changed': 'x', 'd/e/changed': 'x', 'e/f': 'x' })
      await change(origin, [
        (copy) => fs.rmSync(join(copy, 'd'), { recursive: true }),
        (copy) => write(copy, { 'd/changed': 'y', 'd/e/changed': 'y', 'e/g': 'z' }),
      ])
      const { 'd/changed': changed, 'd/e/changed': deep, ...others } = contents(origin)
      expect(others).toEqual({ 'e/f': 'x', 'e/g': 'z' })
      // Deleted by one and changed by the other: whoever is last has it.
      expect([undefined, 'y']).toContain(changed)
      expect([undefined, 'y']).toContain(deep)
    }
  })
})
