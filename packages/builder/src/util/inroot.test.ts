import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cleanPath, relativeToRoot, resolveInRoot } from './inroot.ts'

describe('cleanPath, as Go path.Clean', () => {
  it.each([
    ['', '.'],
    ['.', '.'],
    ['/', '/'],
    ['a//b/./c/', 'a/b/c'],
    ['a/../b', 'b'],
    ['../a/../..', '../..'],
    ['/../a', '/a'],
    ['a/..', '.'],
    ['/a/b/../..', '/'],
  ])('%j → %j', (path, want) => expect(cleanPath(path)).toBe(want))

  it.each([
    ['../../etc', 'etc'],
    ['/', ''],
    ['.', ''],
    ['a/b/', 'a/b'],
  ])('relativeToRoot %j → %j', (path, want) => expect(relativeToRoot(path)).toBe(want))
})

describe('resolveInRoot', () => {
  let base: string
  let root: string
  beforeAll(() => {
    base = mkdtempSync(join(tmpdir(), 'inroot-'))
    root = join(base, 'root')
    mkdirSync(join(root, 'd/e'), { recursive: true })
    writeFileSync(join(root, 'file'), '')
    const links: Record<string, string> = {
      abs: '/d',
      up: '../../../../../../..',
      upout: '../../../etc/passwd',
      dangling: '/none/x',
      chain: 'chain2',
      chain2: 'abs/e',
      loop: 'loop',
      self: '.',
      'd/rel': '../file',
      'd/back': '../d/e/..',
      tofile: 'file',
    }
    for (const [name, target] of Object.entries(links)) symlinkSync(target, join(root, name))
  })
  afterAll(() => rmSync(base, { recursive: true, force: true }))

  it.each([
    ['/', ''],
    ['', ''],
    ['../../..', ''],
    ['d/e', '/d/e'],
    ['abs', '/d'],
    ['abs/e', '/d/e'],
    ['up', ''],
    ['up/d', '/d'],
    ['upout', '/etc/passwd'],
    ['dangling', '/none/x'],
    ['dangling/y', '/none/x/y'],
    ['chain/new', '/d/e/new'],
    ['self/self/self/d', '/d'],
    ['d/rel', '/file'],
    ['d/back/e', '/d/e'],
    ['abs/..', ''],
    ['abs/../file', '/file'],
    ['none/../file', '/file'],
    ['none/more/../../abs', '/d'],
    ['d//e///', '/d/e'],
  ])('%j → root%j', (path, want) => expect(resolveInRoot(root, path)).toBe(root + want))

  it('keeps a link at the end on request', () => {
    expect(resolveInRoot(root, 'abs/rel', false)).toBe(`${root}/d/rel`)
    expect(resolveInRoot(root, 'upout', false)).toBe(`${root}/upout`)
    expect(resolveInRoot(root, 'dangling/', false)).toBe(`${root}/dangling`)
  })

  it('stops at loops and at files in the way', () => {
    expect(() => resolveInRoot(root, 'loop')).toThrow(expect.objectContaining({ code: 'ELOOP' }))
    expect(() => resolveInRoot(root, 'file/x')).toThrow(expect.objectContaining({ code: 'ENOTDIR' }))
    expect(() => resolveInRoot(root, 'tofile/x')).toThrow(expect.objectContaining({ code: 'ENOTDIR' }))
  })

  it('works with the root directory of the host', () => {
    expect(resolveInRoot('/', '..')).toBe('/')
    expect(resolveInRoot('/', '/no-such-directory/x')).toBe('/no-such-directory/x')
  })
})
