/** The project's own source files and what they import, for rules about the whole. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { repository } from './tools.ts'

export interface SourceText {
  /** From the repository's root: `packages/builder/src/build.ts`. */
  readonly path: string
  readonly text: string
  /** Files of the project that it imports, from the repository's root, and bare names of packages. */
  readonly imports: readonly string[]
  /** Those of them that are loaded with it: all but the `import()` ones. */
  readonly loaded: readonly string[]
}

/** All TypeScript files in the src folders of the packages, those for tests too. */
export function sourceFiles(): SourceText[] {
  const packages = join(repository, 'packages')
  return readdirSync(packages)
    .flatMap((name) => {
      const source = join(packages, name, 'src')
      return readdirSync(source, { recursive: true, encoding: 'utf8' }).map((file) => join(source, file))
    })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => {
      const path = relative(repository, file)
      const text = readFileSync(file, 'utf8')
      return sourceText(path, text)
    })
}

/** Files that only tests use: they end up in no package. */
export function isTest(path: string): boolean {
  return /\.(test|contract|test-support)\.ts$|\/(testing|test-support|contract)(\/|\.ts$)/.test(path)
}

/** Statements stand at the beginning of a line, as the formatter has them, so examples in comments do not count. */
const STATEMENTS = [/^(?:import|export)\s[^'"`;]*?\bfrom\s*['"]([^'"]+)['"]/gm, /^import\s*['"]([^'"]+)['"]/gm]
const CALLS_AND_TYPES = [/\bimport\(\s*['"]([^'"]+)['"]\s*\)/g]

/** Finds the imports of a file; types are not exempt. */
export function sourceText(path: string, text: string): SourceText {
  const find = (patterns: readonly RegExp[]): string[] =>
    patterns
      .flatMap((pattern) => [...text.matchAll(pattern)].map((match) => match[1]!))
      .map((name) => (name.startsWith('.') ? join(dirname(path), name) : name))
  const loaded = [...new Set(find(STATEMENTS))]
  return { path, text, loaded, imports: [...new Set([...loaded, ...find(CALLS_AND_TYPES)])] }
}

/**
 * Circles among what stands side by side in a folder: its files, and its folders with all that is in them. A folder may
 * use a file beside it that does not use the folder; two folders that use each other are one.
 */
export function findFolderCycles(files: readonly Pick<SourceText, 'path' | 'imports'>[]): string[][] {
  const graph = new Map<string, Set<string>>()
  for (const { path, imports } of files) {
    const from = path.split('/')
    for (const target of imports) {
      const to = target.split('/')
      const depth = from.findIndex((name, i) => name !== to[i])
      // Bare names of packages.
      if (depth < 1) continue
      const [neighbour, used] = [from, to].map((parts) => parts.slice(0, depth + 1).join('/'))
      graph.set(neighbour!, (graph.get(neighbour!) ?? new Set()).add(used!))
      if (!graph.has(used!)) graph.set(used!, new Set())
    }
  }
  return findCycles(new Map([...graph].map(([name, used]) => [name, [...used]])))
}

/** Circles among modules: each as the list of its files, the first one repeated at the end. */
export function findCycles(graph: ReadonlyMap<string, readonly string[]>): string[][] {
  const state = new Map<string, 'open' | 'done'>()
  const cycles: string[][] = []
  const visit = (node: string, path: readonly string[]): void => {
    if (state.get(node) === 'done') return
    if (state.get(node) === 'open') {
      cycles.push([...path.slice(path.indexOf(node)), node])
      return
    }
    state.set(node, 'open')
    for (const next of graph.get(node) ?? []) if (graph.has(next)) visit(next, [...path, node])
    state.set(node, 'done')
  }
  for (const node of graph.keys()) visit(node, [])
  return cycles
}
