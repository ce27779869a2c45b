/**
 * Which entries COPY and ADD take from a tree: literal sources, wildcards, --parents and --exclude.
 *
 * A named source (or what a wildcard matches) is resolved through links inside the tree; links below it are kept.
 */
import type { Tree, TreeNode } from '../../context/tree.ts'
import { throwIfAborted } from '../../errors.ts'
import type { Selection } from '../../graph/file-op.ts'
import { compileGlob, type Glob, hasWildcard } from '../../util/glob.ts'
import { compileIgnore, type IgnoreMatcher, IgnoreSyntaxError } from '../../util/ignore.ts'
import { cleanPath, relativeToRoot, resolveWith } from '../../util/inroot.ts'
import { fileErrors } from './errors.ts'
import { notFoundHint } from './suggest.ts'

/**
 * One entry that COPY will write. Entries come in the order in which they are written: each matched source with
 * everything below it, directories before what they hold.
 */
export interface SelectedEntry {
  /** What stands there. */
  readonly node: TreeNode
  /** Where it is read, relative to the tree's root, free of links. */
  readonly source: string
  /** Relative to the matched source; '' is that source itself. */
  readonly target: string
  /**
   * On the first entry of each matched source (`target` is ''): its base name as it was matched. A file that is copied
   * into an existing directory gets this name; of a directory the content is copied.
   */
  readonly name?: string
  /** A directory that is copied only because something below it is: if it exists already, it keeps its owner and time. */
  readonly implied?: true
}

/** Entries are handed out in pieces of this many, between which other work gets its turn. */
const PIECE = 2000

/**
 * Selects what a COPY of `selection` takes from `tree`. The entries of the matched sources follow each other in the
 * order of the patterns, and of names within a wildcard.
 *
 * @throws BuildError COPY_SOURCE_NOT_FOUND, COPY_WILDCARD_PARENT_NOT_FOUND, COPY_BAD_PATTERN, and those of the tree
 */
export async function select(tree: Tree, selection: Selection, signal?: AbortSignal): Promise<SelectedEntry[]> {
  throwIfAborted(signal)
  const entries: SelectedEntry[] = []
  const exclude = matcher(selection.exclude)
  let next = PIECE
  for (const pattern of selection.patterns) {
    const { from, include } = selection.parents ? splitPivot(tree, pattern) : { from: pattern, include: undefined }
    for (const match of findMatches(tree, from)) {
      for (const entry of entriesOf(tree, match, { include, exclude })) {
        entries.push(entry)
        if (entries.length < next) continue
        next += PIECE
        throwIfAborted(signal)
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
  }
  return entries
}

interface Match {
  /** Free of links. */
  readonly source: string
  readonly name: string
  readonly node: TreeNode
}

interface Filter {
  readonly include: Include | undefined
  readonly exclude: IgnoreMatcher | undefined
}

interface Include {
  readonly matcher: IgnoreMatcher
  /** Whether something below a directory that does not match may match. */
  readonly mayMatchBelow: (dir: string) => boolean
}

/** `--parents`: what comes before the first `/./` is the tree that is filtered by what comes after it. */
function splitPivot(tree: Tree, pattern: string): { from: string; include: Include | undefined } {
  const pivot = pattern.indexOf('/./')
  const from = pivot < 0 ? '/' : pattern.slice(0, pivot)
  const below = relativeToRoot(pivot < 0 ? pattern : pattern.slice(pivot + 3))
  if (!hasWildcard(from) && !hasWildcard(below)) {
    const path = relativeToRoot(`${from}/${below}`)
    if (resolve(tree, path) === undefined) throw fileErrors.sourceNotFound([`/${path}`, notFoundHint(tree, path)])
  }
  // A pattern for the root itself takes everything.
  const include = matcher(below === '' ? [] : [below])
  return { from, include: include && { matcher: include, mayMatchBelow: depthFilter(below) } }
}

/** For a pattern `a/?/c`: tells directories `a` and `a/b` from `x`, so that only they are walked. */
function depthFilter(pattern: string): (dir: string) => boolean {
  const parts = pattern.split('/')
  const deep = parts.findIndex((part) => part.includes('**') || part.includes('['))
  const globs = (deep < 0 ? parts : parts.slice(0, deep)).map((part) => compileGlob(part))
  return (dir) => {
    const names = dir.split('/')
    if (names.length >= parts.length && deep < 0) return false
    return names.every((name, i) => i >= globs.length || globs[i]?.test(name) !== false)
  }
}

function matcher(patterns: readonly string[]): IgnoreMatcher | undefined {
  if (patterns.length === 0) return undefined
  try {
    return compileIgnore(patterns)
  } catch (error) {
    if (!(error instanceof IgnoreSyntaxError)) throw error
    throw fileErrors.badPattern([error.pattern, error.message])
  }
}

function* findMatches(tree: Tree, pattern: string): Generator<Match> {
  const parts = relativeToRoot(pattern).split('/')
  const wild = parts.findIndex(hasWildcard)
  if (wild < 0) {
    const path = parts.join('/')
    const found = resolve(tree, path)
    if (found === undefined) throw fileErrors.sourceNotFound([`/${path}`, notFoundHint(tree, path)])
    yield { ...found, name: parts[parts.length - 1]! }
    return
  }
  const globs = parts.slice(wild).map((part) => {
    const glob = compileGlob(part)
    if (glob === undefined) throw fileErrors.badPattern([cleanPath(pattern), 'syntax error in pattern'])
    return glob
  })
  const base = parts.slice(0, wild).join('/')
  const start = resolve(tree, base)
  if (start === undefined) throw fileErrors.wildcardParentNotFound([`/${base}`, notFoundHint(tree, base)])
  for (const path of expand(tree, start.source, start.node, globs, 0)) {
    const found = resolve(tree, path)
    if (found === undefined) throw fileErrors.sourceNotFound([`/${path}`, 'it is a link that leads nowhere'])
    yield { ...found, name: path.slice(path.lastIndexOf('/') + 1) }
  }
}

/** Paths that match component by component; links on the way are not followed. */
function* expand(tree: Tree, dir: string, node: TreeNode, globs: readonly Glob[], depth: number): Generator<string> {
  if (node.type !== 'directory') return
  const glob = globs[depth]!
  for (const child of tree.list(dir, node)) {
    if (!glob.test(child.name)) continue
    const path = dir === '' ? child.name : `${dir}/${child.name}`
    if (depth === globs.length - 1) yield path
    else yield* expand(tree, path, child, globs, depth + 1)
  }
}

/** Follows all links of a path, inside the tree. */
function resolve(tree: Tree, path: string): { source: string; node: TreeNode } | undefined {
  let source: string
  try {
    source = resolveWith((p) => {
      const node = tree.lstat(p)
      if (node === undefined) return 'absent'
      if (node.type === 'directory') return 'directory'
      return node.type === 'symlink' ? { link: node.linkname! } : 'other'
    }, path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOTDIR' || code === 'ELOOP') return undefined
    throw error
  }
  const node = tree.lstat(source)
  return node && { source, node }
}

function* entriesOf(tree: Tree, match: Match, filter: Filter): Generator<SelectedEntry> {
  const { source, node, name } = match
  if (node.type === 'socket' && tree.sockets === 'skipped') return
  yield { node, source, target: '', name }
  if (node.type !== 'directory') return
  // An explicit stack: directories may be nested deeper than calls can be.
  const stack: { source: string; target: string; children: TreeNode[]; at: number; given: boolean; node: TreeNode }[] =
    []
  stack.push({ source, target: '', children: tree.list(source, node), at: 0, given: true, node })
  const slash = (dir: string, child: string) => (dir === '' ? child : `${dir}/${child}`)
  while (stack.length > 0) {
    const dir = stack[stack.length - 1]!
    const child = dir.children[dir.at++]
    if (child === undefined) {
      stack.pop()
      continue
    }
    if (child.type === 'socket' && tree.sockets === 'skipped') continue
    const childTarget = slash(dir.target, child.name)
    const childSource = slash(dir.source, child.name)
    const excluded = filter.exclude?.matches(childTarget) === true
    const included = !excluded && filter.include?.matcher.matches(childTarget) !== false
    if (included) {
      for (const above of stack) {
        if (!above.given) yield { node: above.node, source: above.source, target: above.target, implied: true }
        above.given = true
      }
      yield { node: child, source: childSource, target: childTarget }
    } else if (child.type !== 'directory') continue
    else if (excluded && filter.exclude?.negated !== true) continue
    else if (!excluded && filter.include?.mayMatchBelow(childTarget) === false) continue
    if (child.type !== 'directory') continue
    const children = tree.list(childSource, child)
    stack.push({ source: childSource, target: childTarget, children, at: 0, given: included, node: child })
  }
}
