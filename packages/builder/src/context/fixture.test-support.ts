/** File trees as tables: makes them and lists them, for tests. */
import {
  chmodSync,
  lchownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fsPath, readDirectory } from '../util/raw-path.ts'

/** What stands at a path: text of a file, or more. Parents are made 0755; names that end with `/` are directories. */
export type FixtureEntry =
  | string
  | {
      readonly text?: string
      readonly link?: string
      /** Path of the fixture that this is another name of. */
      readonly hard?: string
      readonly mode?: number
      readonly owner?: readonly [uid: number, gid: number]
      /** Seconds. */
      readonly mtime?: number
    }

export type Fixture = Readonly<Record<string, FixtureEntry>>

/** A temporary directory, deleted when disposed. */
export function temporaryDirectory(): { readonly path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), 'tsbuild-test-'))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) }
}

/** Makes a tree below `root`, in order; attributes of directories come last. */
export function makeTree(root: string, tree: Fixture): string {
  const entries = Object.entries(tree).map(([name, entry]) => ({
    name,
    entry: typeof entry === 'string' ? { text: entry } : entry,
  }))
  mkdirSync(root, { recursive: true })
  chmodSync(root, 0o755)
  for (const { name, entry } of entries) {
    const path = join(root, name)
    for (const parent of missingAbove(name.endsWith('/') ? path : dirname(path))) {
      mkdirSync(parent)
      chmodSync(parent, 0o755)
    }
    if (name.endsWith('/')) continue
    if (entry.link !== undefined) symlinkSync(entry.link, path)
    else if (entry.hard !== undefined) linkSync(join(root, entry.hard), path)
    else {
      writeFileSync(fsPath(path), entry.text ?? '')
      chmodSync(fsPath(path), 0o644)
    }
  }
  for (const { name, entry } of entries.reverse()) {
    const path = join(root, name).replace(/\/$/, '')
    if (entry.owner !== undefined) lchownSync(path, ...entry.owner)
    if (entry.mode !== undefined) chmodSync(path, entry.mode)
    if (entry.mtime !== undefined) lutimesSync(path, entry.mtime, entry.mtime)
  }
  return root
}

function missingAbove(path: string): string[] {
  const missing: string[] = []
  for (let at = path.replace(/\/$/, ''); lstatSync(at, { throwIfNoEntry: false }) === undefined; at = dirname(at))
    missing.unshift(at)
  return missing
}

/** What {@link listTree} tells beside names, types and contents. */
export interface ListOptions {
  readonly modes?: boolean
  readonly owners?: boolean
  readonly times?: boolean
}

/**
 * One line per entry, in order of paths: `dir/`, `file=text`, `link -> target`, then mode, owner and time on request.
 * Files with several names show the first one: `b == a`.
 */
export function listTree(root: string, options: ListOptions = {}): string[] {
  const lines: string[] = []
  const inodes = new Map<bigint, string>()
  const visit = (path: string) => {
    for (const { name } of readDirectory(join(root, path))) {
      const child = path === '' ? name : `${path}/${name}`
      const host = fsPath(join(root, child))
      const stat = lstatSync(host, { bigint: true })
      let line = child
      if (stat.isDirectory()) line += '/'
      else if (stat.isSymbolicLink()) line += ` -> ${readlinkSync(host)}`
      else if (stat.isFile()) {
        const first = stat.nlink > 1n ? inodes.get(stat.ino) : undefined
        inodes.set(stat.ino, child)
        line += first === undefined ? `=${readFileSync(host, 'utf8')}` : ` == ${first}`
      } else line += ' special'
      if (options.modes && !stat.isSymbolicLink()) line += ` ${(Number(stat.mode) & 0o7777).toString(8)}`
      if (options.owners) line += ` ${stat.uid}:${stat.gid}`
      if (options.times) line += ` @${stat.mtimeNs / 1_000_000_000n}`
      lines.push(line)
      if (stat.isDirectory()) visit(child)
    }
  }
  visit('')
  return lines
}
