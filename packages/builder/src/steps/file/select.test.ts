import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeTree, temporaryDirectory } from '../../context/fixture.test-support.ts'
import { openLocalContext, openRootTree } from '../../context/local.ts'
import type { Selection } from '../../graph/file-op.ts'
import { select } from './select.ts'

const directory = temporaryDirectory()
afterAll(() => directory[Symbol.dispose]())

const root = `${directory.path}/context`
beforeAll(() => {
  makeTree(directory.path, { secret: 'outside' })
  makeTree(root, {
    'a.txt': 'a',
    'b.txt': 'b',
    'dir/x': 'x',
    'dir/sub/y': 'y',
    'dir/sub/z.log': 'z',
    'empty/': '',
    'other/x': 'ox',
    'arr[0].txt': 'arr',
    link: { link: 'a.txt' },
    linkdir: { link: 'dir' },
    out: { link: '../secret' },
    outabs: { link: '/dir/x' },
    dangling: { link: 'nowhere' },
    loop: { link: 'loop' },
    'dir/inner': { link: '../a.txt' },
    'chain/one': { link: '../linkdir/sub' },
  })
})

/** `name target<source`, one line per entry; `*` marks implied directories. */
async function selected(selection: Partial<Selection>, ignore?: string): Promise<string[]> {
  const tree = openLocalContext(root, { ignore })
  const entries = await select(tree, { patterns: ['.'], parents: false, exclude: [], ...selection })
  return entries.map((e) =>
    e.name === undefined
      ? `  ${e.implied ? '*' : ''}${e.target}${e.node.type === 'directory' ? '/' : ''}`
      : `${e.name}<${e.source}`,
  )
}

const failing = (selection: Partial<Selection>, ignore?: string) =>
  selected(selection, ignore).catch((error: unknown) => error)

describe('literal sources', () => {
  it.each<[string, string[]]>([
    ['a.txt', ['a.txt<a.txt']],
    ['/a.txt', ['a.txt<a.txt']],
    ['./dir/../a.txt', ['a.txt<a.txt']],
    ['../../a.txt', ['a.txt<a.txt']],
    ['a.txt/', ['a.txt<a.txt']],
    ['dir', ['dir<dir', '  inner', '  sub/', '  sub/y', '  sub/z.log', '  x']],
    ['dir/', ['dir<dir', '  inner', '  sub/', '  sub/y', '  sub/z.log', '  x']],
    ['empty', ['empty<empty']],
    ['link', ['link<a.txt']],
    ['linkdir', ['linkdir<dir', '  inner', '  sub/', '  sub/y', '  sub/z.log', '  x']],
    ['linkdir/x', ['x<dir/x']],
    ['outabs', ['outabs<dir/x']],
    ['chain/one/y', ['y<dir/sub/y']],
  ])('%s', async (pattern, want) => expect(await selected({ patterns: [pattern] })).toEqual(want))

  it.each([
    ['nope', '"/nope": not found'],
    ['dir/nope', '"/dir/nope": not found'],
    ['a.txt/x', '"/a.txt/x": not found'],
    ['out', '"/out": not found'],
    ['../secret', '"/secret": not found'],
    ['dangling', '"/dangling": not found'],
    ['loop', '"/loop": not found'],
  ])('%s is not found', async (pattern, message) => {
    expect(await failing({ patterns: [pattern] })).toMatchObject({ code: 'COPY_SOURCE_NOT_FOUND', message })
  })

  it('says what may be meant', async () => {
    expect(await failing({ patterns: ['a.tx'] })).toMatchObject({ hint: 'did you mean /a.txt?' })
    expect(await failing({ patterns: ['DIR/x'] })).toMatchObject({ hint: 'did you mean /dir?' })
    expect(await failing({ patterns: ['dir/subb'] })).toMatchObject({ hint: 'did you mean /dir/sub?' })
  })

  it('says which rule excludes the source', async () => {
    expect(await failing({ patterns: ['a.txt'] }, '# x\n*.txt\n')).toMatchObject({
      message: '"/a.txt": not found',
      hint: 'it is excluded by .dockerignore line 2',
    })
  })
})

describe('wildcards', () => {
  it.each<[string, string[]]>([
    ['*.txt', ['a.txt<a.txt', 'arr[0].txt<arr[0].txt', 'b.txt<b.txt']],
    ['?.txt', ['a.txt<a.txt', 'b.txt<b.txt']],
    ['[b].txt', ['b.txt<b.txt']],
    ['arr[[]0].txt', ['arr[0].txt<arr[0].txt']],
    ['*/x', ['x<dir/x', 'x<other/x']],
    ['**/x', ['x<dir/x', 'x<other/x']],
    ['lin*', ['link<a.txt', 'linkdir<dir', '  inner', '  sub/', '  sub/y', '  sub/z.log', '  x']],
    ['linkdir/s*', ['sub<dir/sub', '  y', '  z.log']],
    ['nomatch*', []],
    ['dir/sub/nomatch*/x', []],
    ['a.txt/*', []],
    ['*/*/y', ['y<dir/sub/y']],
  ])('%s', async (pattern, want) => expect(await selected({ patterns: [pattern] })).toEqual(want))

  it('needs the directory it searches', async () => {
    expect(await failing({ patterns: ['dist/*'] })).toMatchObject({
      code: 'COPY_WILDCARD_PARENT_NOT_FOUND',
      message: 'lstat /dist: no such file or directory',
    })
  })

  it('refuses malformed patterns', async () => {
    expect(await failing({ patterns: ['a['] })).toMatchObject({ code: 'COPY_BAD_PATTERN' })
    expect(await failing({ exclude: ['a['] })).toMatchObject({ code: 'COPY_BAD_PATTERN' })
  })

  it('fails for a matched link that leads nowhere', async () => {
    expect(await failing({ patterns: ['dangl*'] })).toMatchObject({ message: '"/dangling": not found' })
  })
})

describe('several patterns', () => {
  it('keeps their order', async () => {
    expect(await selected({ patterns: ['b.txt', 'nomatch*', 'a.txt'] })).toEqual(['b.txt<b.txt', 'a.txt<a.txt'])
  })
})

describe('--exclude', () => {
  it.each<[string, string[], string[]]>([
    ['dir', ['*.log'], ['dir<dir', '  inner', '  sub/', '  sub/y', '  sub/z.log', '  x']],
    ['dir', ['**/*.log'], ['dir<dir', '  inner', '  sub/', '  sub/y', '  x']],
    ['dir', ['sub'], ['dir<dir', '  inner', '  x']],
    ['dir', ['sub', '!sub/y'], ['dir<dir', '  inner', '  *sub/', '  sub/y', '  x']],
    ['dir', ['*'], ['dir<dir']],
    ['dir', ['*', '!*/z.log'], ['dir<dir', '  *sub/', '  sub/z.log']],
    ['a.txt', ['a.txt'], ['a.txt<a.txt']],
  ])('%s without %j', async (pattern, exclude, want) => {
    expect(await selected({ patterns: [pattern], exclude })).toEqual(want)
  })
})

describe('--parents', () => {
  it.each<[string, string[]]>([
    ['dir/sub/y', ['<', '  *dir/', '  *dir/sub/', '  dir/sub/y']],
    ['./a.txt', ['<', '  a.txt']],
    ['dir/sub', ['<', '  *dir/', '  dir/sub/', '  dir/sub/y', '  dir/sub/z.log']],
    ['dir/./sub/y', ['dir<dir', '  *sub/', '  sub/y']],
    ['./dir/./sub/*.log', ['dir<dir', '  *sub/', '  sub/z.log']],
    ['*/x', ['<', '  *dir/', '  dir/x', '  *other/', '  other/x']],
    ['**/*.log', ['<', '  *dir/', '  *dir/sub/', '  dir/sub/z.log']],
    ['dir/./**/y', ['dir<dir', '  *sub/', '  sub/y']],
    ['nomatch*', ['<']],
    ['oth*/./x', ['other<other', '  x']],
    ['o*/./x', ['"/out": not found']],
  ])('%s', async (pattern, want) => {
    const got = await selected({ patterns: [pattern], parents: true }).catch((e: Error) => [e.message])
    expect(got).toEqual(want)
  })

  it('takes everything for the root', async () => {
    expect(await selected({ patterns: ['./'], parents: true })).toEqual(await selected({}))
  })

  it('needs what is named without wildcards', async () => {
    expect(await failing({ patterns: ['dir/nope'], parents: true })).toMatchObject({
      message: '"/dir/nope": not found',
    })
    expect(await failing({ patterns: ['dir/./nope'], parents: true })).toMatchObject({
      message: '"/dir/nope": not found',
    })
  })
})

describe('.dockerignore', () => {
  it.each<[string, Partial<Selection>, string[]]>([
    ['sub\n', { patterns: ['dir'] }, ['dir<dir', '  inner', '  sub/', '  sub/y', '  sub/z.log', '  x']],
    ['**/sub\n!**/y\n', { patterns: ['dir'] }, ['dir<dir', '  inner', '  sub/', '  sub/y', '  x']],
    ['*\n!dir/sub/y\n', {}, ['.<', '  dir/', '  dir/sub/', '  dir/sub/y']],
    ['*\n!nowhere/at/all\n', {}, ['.<']],
    ['*\n!dir\n', { patterns: ['*'] }, ['dir<dir', '  inner', '  sub/', '  sub/y', '  sub/z.log', '  x']],
  ])('%j', async (ignore, selection, want) => {
    const got = await selected(selection, ignore).catch((e: Error) => [e.message])
    expect(got.map((line) => (line === '<' ? '.<' : line))).toEqual(want)
  })

  it('counts for what links lead to', async () => {
    expect(await failing({ patterns: ['link'] }, 'a.txt\n')).toMatchObject({ message: '"/link": not found' })
    expect(await failing({ patterns: ['linkdir/sub/y'] }, 'dir/**/y\n')).toMatchObject({
      code: 'COPY_SOURCE_NOT_FOUND',
    })
    expect(await failing({ patterns: ['lin[k]'] }, 'a.txt\n')).toMatchObject({ code: 'COPY_SOURCE_NOT_FOUND' })
  })
})

it('names links of a root filesystem by what they say, absolute ones from its root', async () => {
  const entries = await select(openRootTree(root), { patterns: ['outabs', 'dir/inner'], parents: false, exclude: [] })
  expect(entries.map((e) => [e.source, e.node.type])).toEqual([
    ['dir/x', 'file'],
    ['a.txt', 'file'],
  ])
})

it('stops when it is told to', async () => {
  const selection = { patterns: ['.'], parents: false, exclude: [] }
  await expect(select(openRootTree(root), selection, AbortSignal.abort())).rejects.toMatchObject({ code: 'CANCELLED' })
})
