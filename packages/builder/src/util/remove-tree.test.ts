import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { startSwapper } from '../sandbox/testing/swapper.ts'
import { fsPath } from './raw-path.ts'
import { removeTree } from './remove-tree.ts'

let base: string
beforeEach(() => {
  base = fs.mkdtempSync(join(tmpdir(), 'remove-tree-'))
})
afterEach(() => removeTree(base))

it('deletes files and directories of any name, and follows no link', () => {
  const top = join(base, 'top')
  fs.mkdirSync(join(top, 'sub'), { recursive: true })
  fs.writeFileSync(fsPath(`${top}/sub/\udcff\udcfe`), '')
  fs.writeFileSync(`${top}/\ufffd`, '')
  fs.writeFileSync(join(base, 'outside'), '')
  fs.symlinkSync('..', join(top, 'sub/up'))
  fs.symlinkSync('top', join(base, 'link'))
  for (const path of [join(base, 'link'), top, top]) removeTree(path)
  expect(fs.readdirSync(base)).toEqual(['outside'])
})

it('deletes what is nested deeper than paths can be long and descriptors can be opened', () => {
  // From the inside out, since no path leads to the innermost directory.
  let made = join(base, 'innermost')
  fs.writeFileSync(made, '')
  for (let i = 0; i < 20; i++) {
    const outer = join(base, String(i))
    const inner = join(outer, ...Array<string>(20).fill('d'.repeat(100)))
    fs.mkdirSync(inner, { recursive: true })
    fs.renameSync(made, join(inner, 'next'))
    made = outer
  }
  removeTree(made)
  expect(fs.readdirSync(base)).toEqual([])
})

it('touches nothing outside when somebody else puts links in the place of directories meanwhile', async () => {
  const names = Array.from({ length: 500 }, (_, i) => `f${i}`)
  const fill = (directory: string): void => {
    fs.mkdirSync(directory, { recursive: true })
    for (const name of names) fs.writeFileSync(join(directory, name), '')
  }
  const [outside, top, evil] = [join(base, 'outside'), join(base, 'top'), join(base, 'evil')]
  fill(outside)
  await using _attacker = await startSwapper(join(top, 'sub'), evil)
  for (let round = 0; round < 20; round++) {
    fs.rmSync(evil, { recursive: true, force: true })
    fs.symlinkSync(outside, evil)
    fill(join(top, 'sub'))
    removeTree(top)
    expect(fs.existsSync(top)).toBe(false)
    expect(fs.readdirSync(outside)).toHaveLength(names.length)
  }
})
