/** The rules about who may import whom, and about the size and honesty of files. ARCHITECTURE.md gives the reasons. */
import { describe, expect, it } from 'vitest'
import {
  findCycles,
  findFolderCycles,
  isTest,
  type SourceText,
  sourceFiles,
  sourceText,
} from './support/source-files.ts'

const files = sourceFiles()
const shipped = files.filter((file) => !isTest(file.path))

/** Everybody may use these; they import nothing above themselves. */
const COMMON = ['errors.ts', 'explanation.ts', 'source.ts', 'progress.ts', 'redact.ts', 'util']

/**
 * Folders (and files) of the builder's src → what they may import beside {@link COMMON} and themselves. A folder that is
 * not listed may not exist.
 */
const BUILDER: Readonly<Record<string, readonly string[] | 'all'>> = {
  'index.ts': 'all',
  'build.ts': 'all',
  build: 'all',
  // Types of the public API: they name what lower folders define.
  'options.ts': ['sandbox'],
  'results.ts': ['options.ts', 'registry-client'],
  calls: ['lint', 'stages', 'instructions', 'dockerfile', 'plan', 'results.ts'],
  export: ['image', 'layer', 'store', 'registry-client', 'graph', 'options.ts', 'results.ts'],
  image: ['layer', 'store', 'graph', 'registry-client'],
  solve: ['steps', 'cache', 'graph', 'store'],
  explain: ['graph', 'store', 'registry-client'],
  steps: ['context', 'snapshot', 'sandbox', 'layer', 'store', 'graph', 'registry-client'],
  cache: ['layer', 'store', 'registry-client', 'graph'],
  plan: ['stages', 'instructions', 'dockerfile', 'graph', 'registry-client'],
  lint: ['stages', 'instructions', 'dockerfile', 'graph', 'registry-client'],
  stages: ['instructions', 'dockerfile', 'graph', 'registry-client'],
  instructions: ['dockerfile'],
  layer: ['snapshot', 'store', 'registry-client'],
  snapshot: ['registry-client'],
  sandbox: [],
  store: ['registry-client'],
  context: ['registry-client'],
  lockfile: ['context', 'registry-client'],
  dockerfile: [],
  graph: ['registry-client'],
  'errors.ts': [],
  'explanation.ts': [],
  'source.ts': [],
  'progress.ts': [],
  'redact.ts': [],
  util: [],
}

/** Where a path of the builder belongs: its folder, or its own name in src. */
function room(path: string): string {
  return path.replace('packages/builder/src/', '').split('/')[0]!
}

function violations(file: SourceText): string[] {
  if (file.path.startsWith('packages/registry-client/')) return file.imports.filter(leavesClient).map(say(file))
  if (file.path.startsWith('packages/cli/')) return file.imports.filter(leavesCli).map(say(file))
  if (file.path.startsWith('packages/action/')) return file.imports.filter(leavesAction).map(say(file))
  const from = room(file.path)
  const allowed = BUILDER[from]
  if (allowed === undefined) return [`${file.path} is in a folder that the architecture does not know`]
  if (allowed === 'all') return []
  return file.imports
    .filter((target) => {
      if (target === '@tsbuild/cli' || target.startsWith('packages/cli/')) return true
      if (target.startsWith('@tsbuild/registry-client')) return !allowed.includes('registry-client')
      if (!target.startsWith('packages/')) return false
      if (!target.startsWith('packages/builder/src/')) return true
      const to = room(target)
      return to !== from && !allowed.includes(to) && !COMMON.includes(to)
    })
    .map(say(file))
}

const say = (file: SourceText) => (target: string) => `${file.path} imports ${target}`
const leavesClient = (target: string): boolean =>
  target.startsWith('@tsbuild/') || (target.startsWith('packages/') && !target.startsWith('packages/registry-client/'))
const leavesCli = (target: string): boolean =>
  (target.startsWith('@tsbuild/') && target.split('/').length > 2) ||
  (target.startsWith('packages/') && !/^packages\/cli\/(src|bin|package\.json)/.test(target))
/** Of the command it has one entry; of the others, as the command, their index. Its bundle is made as the command's is. */
const leavesAction = (target: string): boolean =>
  (target.startsWith('@tsbuild/') && target.split('/').length > 2) ||
  (target.startsWith('packages/') && !/^packages\/(action\/|cli\/src\/(embed|tools\/bundle)\.ts$)/.test(target))

describe('the house', () => {
  it('has files to look at', () => {
    expect(shipped.length).toBeGreaterThan(100)
    expect(shipped.filter((file) => file.imports.length > 0).length).toBeGreaterThan(100)
  })

  it('imports go downwards only', () => {
    expect(shipped.flatMap(violations)).toEqual([])
  })

  it('no module imports itself over others', () => {
    const graph = new Map(shipped.map(({ path, imports }) => [path, imports.filter((target) => target !== path)]))
    expect(findCycles(graph).map((cycle) => cycle.join(' → '))).toEqual([])
  })

  it('no folder imports itself over its neighbours', () => {
    expect(findFolderCycles(shipped).map((cycle) => cycle.join(' → '))).toEqual([])
  })

  it('shipped code imports no test code', () => {
    const offenders = shipped.flatMap((file) => file.imports.filter((t) => isTest(t) || t === 'vitest').map(say(file)))
    expect(offenders).toEqual([])
  })

  it('no file is longer than 400 lines', () => {
    const long = shipped.map((file) => ({ path: file.path, lines: file.text.split('\n').length - 1 }))
    expect(long.filter(({ lines }) => lines > 400)).toEqual([])
  })

  it('util holds leaf files only', () => {
    const inUtil = shipped.filter((file) => file.path.startsWith('packages/builder/src/util/'))
    const imports = inUtil.flatMap((file) => file.imports.filter((t) => t.startsWith('packages/')))
    expect(imports.filter((target) => !COMMON.includes(room(target)))).toEqual([])
  })

  it('nothing is exported that nobody names', () => {
    const own = files.filter(({ path }) => !isTest(path))
    expect(own.flatMap(({ path, text }) => exportsOf(text).filter((name) => !isNamed(name, path, text)))).toEqual([])
  })

  it('every error that is defined is thrown', () => {
    const tables = shipped.flatMap(({ text }) => [...text.matchAll(/^export const (\w*rrors) = \{\n(.*?)^\}/gms)])
    const thrown = new Set(
      shipped.flatMap(({ text }) => text.match(/\w*rrors\s*\.\s*\w+/g) ?? []).map((use) => use.replace(/\s/g, '')),
    )
    const defined = tables.flatMap(([, table, body = '']) =>
      [...body.matchAll(/^ {2}(\w+): define\w*\(/gm)].map(([, name]) => `${table}.${name}`),
    )
    expect(defined.length).toBeGreaterThan(100)
    expect(defined.filter((error) => !thrown.has(error))).toEqual([])
  })

  it('nothing is left open', () => {
    expect(lines(/\b(TODO|FIXME|XXX|HACK)\b/)).toEqual([])
  })

  it('no value is of any type', () => {
    expect(lines(/(?::|\bas|<|\|)\s*any\b(?!\s*\w)|\bany\[\]/)).toEqual([])
  })

  it('no directory is made by a recursion that never ends in /proc', () => {
    const found = lines(/\bmkdir(Sync)?\(.*recursive/)
    expect(found.filter((line) => !/\/(testing|tools)\/|\.contract\.|test-support/.test(line))).toEqual([])
  })
})

const words = new Map(files.map(({ path, text }) => [path, new Set(text.match(/[\w$]+/g))]))

function exportsOf(text: string): string[] {
  const found = text.matchAll(/^export (?:async )?(?:function\*?|const|class|interface|type) (\w+)/gm)
  return [...found].map(([, name]) => name!)
}

/** In another file, or in its own one beside the declaration. */
function isNamed(name: string, path: string, text: string): boolean {
  if (text.split(new RegExp(`\\b${name}\\b`)).length > 2) return true
  return [...words].some(([other, names]) => other !== path && names.has(name))
}

/** Lines of code (not of comments, except for marks in them) that match. */
function lines(pattern: RegExp): string[] {
  const inComments = /TODO/.test(pattern.source)
  return shipped.flatMap((file) =>
    file.text.split('\n').flatMap((line, i) => {
      if (!inComments && /^\s*(\*|\/\/|\/\*)/.test(line)) return []
      return pattern.test(line) ? [`${file.path}:${i + 1}: ${line.trim()}`] : []
    }),
  )
}

describe('the rules see', () => {
  it.each<[string, string, boolean]>([
    ['packages/builder/src/store/x.ts', "import { a } from '../snapshot/y.ts'", false],
    ['packages/builder/src/store/x.ts', "import type { A } from '../snapshot/y.ts'", false],
    ['packages/builder/src/store/x.ts', "export * from '../context/y.ts'", false],
    ['packages/builder/src/store/x.ts', "const a = await import('../solve/y.ts')", false],
    ['packages/builder/src/store/x.ts', "import {\n  a,\n  b,\n} from '../build.ts'", false],
    ['packages/builder/src/store/x.ts', "import { a } from '../util/y.ts'\nimport './z.ts'", true],
    ['packages/builder/src/util/x.ts', "import { a } from '../store/y.ts'", false],
    ['packages/builder/src/attic/x.ts', '', false],
    ['packages/cli/src/x.ts', "import { build } from '@tsbuild/builder'", true],
    ['packages/cli/src/x.ts', "import { build } from '@tsbuild/builder/build'", false],
    ['packages/cli/src/x.ts', "import { build } from '../../builder/src/build.ts'", false],
    ['packages/action/src/x.ts', "import { build } from '@tsbuild/builder'", true],
    ['packages/action/src/x.ts', "import { write } from '../../cli/src/embed.ts'", true],
    ['packages/action/src/x.ts', "import { write } from '../../cli/src/io.ts'", false],
    ['packages/action/src/x.ts', "import { Store } from '../../builder/src/store/store.ts'", false],
    ['packages/registry-client/src/x.ts', "import { build } from '@tsbuild/builder'", false],
    ['packages/registry-client/src/x.ts', "import { request } from 'undici'", true],
  ])('%s: %s', (path, text, fine) => expect(violations(sourceText(path, text)).length === 0).toBe(fine))

  it('circles', () => {
    const graph = new Map([
      ['a', ['b']],
      ['b', ['c']],
      ['c', ['a', 'd']],
      ['d', []],
    ])
    expect(findCycles(graph)).toEqual([['a', 'b', 'c', 'a']])
    expect(findCycles(new Map([['d', []]]))).toEqual([])
  })

  it('circles of folders, and no circle in a folder that uses files beside it', () => {
    const file = (path: string, imports: string) => sourceText(path, `import { x } from '${imports}'`)
    const rules = [file('src/lint/table.ts', './rules/a.ts'), file('src/lint/rules/a.ts', '../rule.ts')]
    expect(findFolderCycles(rules)).toEqual([])
    const rooms = [file('src/a/one.ts', '../b/two.ts'), file('src/b/three.ts', '../a/four.ts')]
    expect(findFolderCycles(rooms)).toEqual([['src/a', 'src/b', 'src/a']])
    const above = [file('src/main.ts', './a/one.ts'), file('src/a/one.ts', '../main.ts')]
    expect(findFolderCycles(above)).toEqual([['src/main.ts', 'src/a', 'src/main.ts']])
  })
})
