/**
 * What is selected from a tree costs in proportion to the tree and to the patterns: ten times as much of one takes at
 * most twelve times the CPU time of this process, however the machine is loaded.
 */
import { describe, expect, it } from 'vitest'
import type { Tree, TreeNode } from '../../context/tree.ts'
import type { Selection } from '../../graph/file-op.ts'
import { parseIgnore } from '../../util/ignore.ts'
import { select } from './select.ts'

/** A tree that is nowhere: what it costs to look at files is not the point. */
function treeOf(paths: readonly string[]): Tree {
  const nodes = new Map<string, TreeNode>()
  const lists = new Map<string, TreeNode[]>()
  const add = (path: string, type: 'file' | 'directory'): TreeNode => {
    const known = nodes.get(path)
    if (known !== undefined) return known
    const name = path.slice(path.lastIndexOf('/') + 1)
    const numbers = { mtimeNs: 0n, ctimeNs: 0n, dev: 0n, ino: BigInt(nodes.size), rdev: 0n }
    const node: TreeNode = { name, type, mode: 0o755, uid: 0, gid: 0, size: 0, nlink: 1, ...numbers }
    nodes.set(path, node)
    if (type === 'directory') lists.set(path, [])
    if (path !== '') {
      const parent = path.slice(0, Math.max(path.lastIndexOf('/'), 0))
      add(parent, 'directory')
      lists.get(parent)!.push(node)
    }
    return node
  }
  for (const path of paths) add(path, 'file')
  return {
    root: '/nowhere',
    sockets: 'skipped',
    lstat: (path) => nodes.get(path),
    list: (path) => lists.get(path) ?? [],
    content: () => expect.unreachable(),
    xattrs: () => [],
    hiddenBy: () => undefined,
  }
}

const many = <T>(n: number, make: (i: number) => T): T[] => Array.from({ length: n }, (_, i) => make(i))
const wide = (n: number): Tree => treeOf(many(n * 20, (i) => `d${i % 50}/e${i % 7}/f${i}.txt`))
const small = wide(20)

const kinds: readonly (readonly [
  name: string,
  tree: (n: number) => Tree,
  selection: (n: number) => Partial<Selection>,
])[] = [
  ['everything of a tree', wide, () => ({ patterns: ['.'] })],
  ['a wildcard over a tree', wide, () => ({ patterns: ['d*/e*/f*1.txt'] })],
  ['--parents with ** over a tree', wide, () => ({ patterns: ['./**/*1.txt'], parents: true })],
  ['--exclude over a tree', wide, () => ({ patterns: ['.'], exclude: ['**/*1.txt', 'd1', '!d1/e1/*'] })],
  ['many --exclude', () => small, (n) => ({ patterns: ['.'], exclude: many(n * 2, (i) => `d*/e*/f${i}.*`) })],
  ['many --exclude of any depth', () => small, (n) => ({ patterns: ['.'], exclude: many(n * 2, (i) => `**/f${i}.*`) })],
  [
    'many --exclude and exceptions',
    () => small,
    (n) => ({ patterns: ['.'], exclude: many(n * 2, (i) => `${i % 2 ? '!' : ''}d${i}/*`) }),
  ],
  ['many sources', () => small, (n) => ({ patterns: many(n, (i) => `d${i % 50}`) })],
  ['many wildcards', () => small, (n) => ({ patterns: many(n, (i) => `d${i % 50}/*/f*`) })],
]

async function cpuOf(work: () => unknown): Promise<number> {
  let least = Number.POSITIVE_INFINITY
  for (let i = 0; i < 3; i++) {
    const before = process.cpuUsage()
    await work()
    const { user, system } = process.cpuUsage(before)
    least = Math.min(least, user + system)
  }
  return least
}

/** Microseconds: what is too little to be measured counts as so much. */
const unit = 10_000

async function expectGrowth(make: (n: number) => () => unknown, from: number): Promise<void> {
  const [few, lots] = [make(from), make(from * 10)]
  await few()
  expect((await cpuOf(lots)) / Math.max(await cpuOf(few), unit)).toBeLessThanOrEqual(12)
}

describe('selecting files grows with', () => {
  for (const [name, tree, selection] of kinds)
    it(name, async () => {
      await expectGrowth((n) => {
        const [from, what] = [tree(n), { patterns: [], parents: false, exclude: [], ...selection(n) }]
        return () => select(from, what)
      }, 40)
    })
})

describe('ignore rules', () => {
  const kinds = [(i: number) => `a*/**/b${i}`, (i: number) => `x/y${i}`, (i: number) => `**/c${i}`]
  const exceptions = [(i: number) => `!q/r${i}`, (i: number) => `a/*/d${i}`]
  const rules = (n: number): string =>
    [...kinds, ...exceptions].flatMap((rule) => many(Math.ceil(n / 5), rule)).join('\n')
  const deep = (levels: number): string[] => many(levels, (i) => many(i + 1, () => 'a').join('/'))
  const asked = (text: string, paths: readonly string[]) => () => {
    const matcher = parseIgnore(text)
    for (const path of paths) matcher.matches(path)
  }

  it('cost in proportion to their number, on many levels', async () => {
    const paths = deep(100)
    await expectGrowth((n) => asked(rules(n), paths), 50)
  })

  it('cost in proportion to the length of all names that are asked for', async () => {
    const length = (paths: readonly string[]) => paths.join('').length
    const [few, lots] = [deep(50), deep(500)]
    const text = rules(200)
    asked(text, few)()
    const [before, after] = [await cpuOf(asked(text, few)), await cpuOf(asked(text, lots))]
    expect(after / Math.max(before, unit)).toBeLessThanOrEqual((1.2 * length(lots)) / length(few))
  })
})
