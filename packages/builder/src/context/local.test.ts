import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import type { ContentFile } from '../util/content.ts'
import { type Fixture, makeTree, temporaryDirectory } from './fixture.test-support.ts'
import { openLocalContext, openRootTree } from './local.ts'
import type { Tree, TreeNode } from './tree.ts'

function openIn(tree: Tree, path: string, expected: TreeNode): number {
  return (tree.content(path, expected) as ContentFile).open()
}

const directory = temporaryDirectory()
afterAll(() => directory[Symbol.dispose]())

const linux = process.platform === 'linux'
const isRoot = process.getuid?.() === 0
let root: string
let count = 0
beforeEach(() => {
  root = `${directory.path}/${count++}`
})

/** All paths that a tree shows, directories with a slash. */
function paths(tree: Tree): string[] {
  const found: string[] = []
  const visit = (path: string) => {
    for (const node of tree.list(path, tree.lstat(path)!)) {
      const child = path === '' ? node.name : `${path}/${node.name}`
      found.push(node.type === 'directory' ? `${child}/` : child)
      if (node.type === 'directory') visit(child)
    }
  }
  visit('')
  return found
}

describe('what an ignore file leaves', () => {
  const tree: Fixture = {
    '.dockerignore': '',
    '.env': 's',
    'a/b': '',
    'a/k': '',
    'a/c/b': '',
    'sub/x/key': 's',
    'sub/x/other': '',
    'x.pem': 's',
    'ok.pem': '',
  }
  const all = [
    '.dockerignore',
    '.env',
    'a/',
    'a/b',
    'a/c/',
    'a/c/b',
    'a/k',
    'ok.pem',
    'sub/',
    'sub/x/',
    'sub/x/key',
    'sub/x/other',
    'x.pem',
  ]
  const without = (...gone: string[]) => all.filter((path) => !gone.includes(path))

  it.each<[string, string[]]>([
    ['', all],
    ['.env\nsub/**/key\n*.pem\n!ok.pem\n', without('.env', 'sub/x/key', 'x.pem')],
    ['a', without('a/', 'a/b', 'a/c/', 'a/c/b', 'a/k')],
    ['**/a\n!**/b', without('a/k')],
    ['*\n!a/c', ['a/', 'a/c/', 'a/c/b']],
    ['*\n!a/nothing', []],
    ['*\n!a/*/nothing', []],
    ['a/*\n!a/c/nothing', without('a/b', 'a/c/', 'a/c/b', 'a/k')],
    ['**', []],
    ['.\n/', all],
  ])('%j', (ignore, want) => {
    makeTree(root, tree)
    const context = openLocalContext(root, { ignore })
    expect(paths(context)).toEqual(want)
    for (const path of all) {
      const name = path.replace(/\/$/, '')
      expect([name, context.lstat(name) !== undefined]).toEqual([name, want.includes(path)])
    }
  })

  it('refuses a lone exclamation mark', () => {
    makeTree(root, tree)
    expect(() => openLocalContext(root, { ignore: 'x\n!\n', ignoreName: 'D.dockerignore' })).toThrow(
      expect.objectContaining({
        code: 'DOCKERIGNORE_INVALID',
        message: 'illegal exclusion pattern: "!" (D.dockerignore line 2)',
      }),
    )
  })

  it('tells which rule hides a path', () => {
    makeTree(root, tree)
    const context = openLocalContext(root, { ignore: '*.pem\n!ok.pem\n' })
    expect(context.hiddenBy('x.pem')).toBe('.dockerignore line 1')
    expect(context.hiddenBy('ok.pem')).toBeUndefined()
    expect(context.hiddenBy('nope')).toBeUndefined()
  })
})

describe('entries', () => {
  it('belong to root in a context and keep their owner in a root filesystem', () => {
    makeTree(root, { f: '' })
    expect(openLocalContext(root).lstat('f')).toMatchObject({ uid: 0, gid: 0 })
    expect(openRootTree(root).lstat('f')).toMatchObject({ uid: process.getuid?.(), gid: process.getgid?.() })
  })

  it('does not have the directory that it is to be without', () => {
    makeTree(root, { f: 'F', 'sub/state/x': 'X', 'sub/state2': 'Y' })
    const context = openLocalContext(root, { without: `${root}/sub/state` })
    const sub = context.lstat('sub')!
    expect(context.list('sub', sub).map(({ name }) => name)).toEqual(['state2'])
    expect(context.lstat('sub/state')).toBeUndefined()
    expect(context.lstat('sub/state/x')).toBeUndefined()
    expect(context.lstat('sub/state2')).toBeDefined()
    for (const without of [root, `${root}/..`, '/nowhere', '/'])
      expect(openLocalContext(root, { without }).lstat('f')).toBeDefined()
  })

  it('have the attributes that are told of them', () => {
    makeTree(root, { 'd/f': { text: '', mode: 0o600 } })
    const attributes = new Map([['d/f', { mode: 0o4755, uid: 7, gid: 8 }]])
    const context = openLocalContext(root, { attributes })
    expect(context.lstat('d/f')).toMatchObject({ name: 'f', mode: 0o4755, uid: 7, gid: 8 })
    expect(context.list('d', context.lstat('d')!)).toMatchObject([{ name: 'f', mode: 0o4755, uid: 7 }])
  })

  it('come in byte order', () => {
    makeTree(root, { B: '', a: '', 'a.b': '', é: '', '\ue000': '', '😀': '' })
    const context = openLocalContext(root)
    expect(context.list('', context.lstat('')!).map((node) => node.name)).toEqual([
      'B',
      'a',
      'a.b',
      'é',
      '\ue000',
      '😀',
    ])
  })

  it.skipIf(!linux)('may have names that are not UTF-8 (needs Linux)', () => {
    const name = `x${String.fromCharCode(0xdcfe)}y`
    makeTree(root, { [name]: 'raw' })
    const context = openLocalContext(root)
    const [node] = context.list('', context.lstat('')!)
    expect(node?.name).toBe(name)
    expect(readFileSync(openIn(context, name, node!), 'utf8')).toBe('raw')
  })

  it('are looked up without following links', () => {
    makeTree(root, { 'd/f': '', l: { link: 'd' } })
    const context = openLocalContext(root)
    expect(context.lstat('l')).toMatchObject({ type: 'symlink', linkname: 'd' })
    expect(context.lstat('l/f')).toBeUndefined()
    expect(context.lstat('d/f/x')).toBeUndefined()
    expect(context.lstat('nope/x')).toBeUndefined()
  })

  it('may be sockets and fifos, which are never opened', async () => {
    makeTree(root, { a: '' })
    execFileSync('mkfifo', [`${root}/pipe`])
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(`${root}/sock`, resolve))
    try {
      const context = openLocalContext(root)
      const types = context.list('', context.lstat('')!).map((node) => [node.name, node.type])
      expect(types).toEqual([
        ['a', 'file'],
        ['pipe', 'fifo'],
        ['sock', 'socket'],
      ])
      expect(context.sockets).toBe('empty-files')
      expect(() => openIn(context, 'pipe', context.lstat('a')!)).toThrow(
        expect.objectContaining({ code: 'CONTEXT_CHANGED' }),
      )
    } finally {
      server.close()
    }
  })
})

describe('a context that changes', () => {
  it.skipIf(!linux)('is not left through a directory that became a link (needs Linux)', () => {
    makeTree(`${root}/out`, { secret: 'S' })
    makeTree(`${root}/c`, { 'd/e/f': 'F' })
    const context = openLocalContext(`${root}/c`)
    const [d, e] = [context.lstat('d')!, context.lstat('d/e')!]
    renameSync(`${root}/c/d`, `${root}/c/old`)
    symlinkSync('../out', `${root}/c/d`)
    expect(() => context.list('d', d)).toThrow(
      expect.objectContaining({ code: 'CONTEXT_CHANGED', message: '/d changed during the build' }),
    )
    rmSync(`${root}/c/d`)
    mkdirSync(`${root}/c/d`)
    symlinkSync('../../out', `${root}/c/d/e`)
    expect(() => context.list('d/e', e)).toThrow(expect.objectContaining({ code: 'CONTEXT_CHANGED' }))
    expect(context.lstat('d/e/secret')).toBeUndefined()
  })

  it('does not give another file than the one that was seen', () => {
    makeTree(root, { f: 'F', 'd/f': 'F', s: 'secret' })
    const context = openLocalContext(root)
    const node = context.lstat('f')!
    const inside = context.lstat('d/f')!
    const changed = expect.objectContaining({ code: 'CONTEXT_CHANGED' })
    writeFileSync(`${root}/f`, 'longer')
    expect(() => openIn(context, 'f', node)).toThrow(changed)
    rmSync(`${root}/f`)
    expect(() => openIn(context, 'f', node)).toThrow(changed)
    symlinkSync('s', `${root}/f`)
    expect(() => openIn(context, 'f', node)).toThrow(changed)
    rmSync(`${root}/d`, { recursive: true })
    symlinkSync('.', `${root}/d`)
    expect(() => openIn(context, 'd/f', inside)).toThrow(changed)
  })
})

describe('errors', () => {
  it('name the directory', () => {
    makeTree(root, { f: '' })
    expect(() => openLocalContext(`${root}/nope`)).toThrow(expect.objectContaining({ code: 'CONTEXT_NOT_FOUND' }))
    expect(() => openLocalContext(`${root}/f`)).toThrow(expect.objectContaining({ code: 'CONTEXT_NOT_DIRECTORY' }))
  })

  it.skipIf(isRoot)('tell what cannot be read, unless it is excluded (needs an ordinary user)', () => {
    makeTree(root, { 'd/f': '', 'e/f': '' })
    chmodSync(`${root}/d`, 0)
    try {
      expect(() => paths(openLocalContext(root))).toThrow(
        expect.objectContaining({
          code: 'CONTEXT_UNREADABLE',
          message: 'cannot read /d of the build context: permission denied',
        }),
      )
      expect(paths(openLocalContext(root, { ignore: 'd' }))).toEqual(['e/', 'e/f'])
    } finally {
      chmodSync(`${root}/d`, 0o755)
    }
  })

  it('tell paths that are too long', () => {
    // Made piece by piece, since the whole path is longer than the system takes.
    mkdirSync(root)
    const script = "for (let i = 0; i < 18; i++) { const n = '0'.repeat(250); fs.mkdirSync(n); process.chdir(n) }"
    execFileSync(process.execPath, ['-e', script], { cwd: root })
    try {
      expect(() => paths(openLocalContext(root))).toThrow(
        expect.objectContaining({
          code: 'CONTEXT_UNREADABLE',
          message: expect.stringContaining('the path is too long'),
        }),
      )
    } finally {
      execFileSync('rm', ['-rf', root])
    }
  })
})
