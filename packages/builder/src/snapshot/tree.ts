/** Whole root filesystems as trees of copies, and what has changed in one since it was looked at. */
import { type BigIntStats, lstatSync } from 'node:fs'
import { fsPath, readDirectory } from '../util/raw-path.ts'
import { removeTree } from '../util/remove-tree.ts'
import { setTimes } from '../util/syscalls.ts'
import { lookBelow } from './below.ts'
import { sameDirectory, sameFile } from './compare.ts'
import { copyAttributes, copyDirectory, copyEntry } from './copy-entry.ts'
import { snapshotErrors } from './errors.ts'
import { fileWhiteouts } from './marks.ts'
import type { Change } from './snapshotter.ts'
import { Turns } from './turns.ts'

/**
 * What a tree held when it was looked at: directory ('' is the root) → name → inode and change time, which differs after
 * every change to the file, its attributes or, for a directory, its entries.
 */
export interface TreeIndex {
  readonly directories: ReadonlyMap<string, ReadonlyMap<string, string>>
  /** Nanoseconds: the newest change time. A change that follows within the clock's granularity would not show. */
  readonly newest: bigint
}

/** Copies a layer's content over a tree that shows the layers below it. */
export async function applyLayer(content: string, root: string, signal?: AbortSignal): Promise<void> {
  const turns = new Turns(signal)
  const linked = new Map<string, string>()
  async function apply(from: string, to: string): Promise<void> {
    for (const entry of readDirectory(from)) {
      await turns.next()
      const gone = fileWhiteouts.hides(from, entry)
      if (gone !== undefined) {
        removeTree(`${to}/${gone}`)
        continue
      }
      const [source, target] = [`${from}/${entry.name}`, `${to}/${entry.name}`]
      const stat = lstatSync(fsPath(source), { bigint: true })
      const existing = lstatSync(fsPath(target), { throwIfNoEntry: false })
      if (existing && !(stat.isDirectory() && existing.isDirectory())) removeTree(target)
      if (!stat.isDirectory()) copyEntry(source, stat, target, linked)
      else {
        if (existing?.isDirectory()) copyAttributes(source, stat, target)
        else copyDirectory(source, stat, target)
        await apply(source, target)
        setTimes(fsPath(target), stat.mtimeNs)
      }
    }
  }
  await apply(content, root)
}

/** Looks at a whole tree. */
export async function indexTree(root: string, signal?: AbortSignal): Promise<TreeIndex> {
  const turns = new Turns(signal)
  const directories = new Map<string, Map<string, string>>()
  let newest = 0n
  const pending = ['']
  for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
    const names = new Map<string, string>()
    directories.set(directory, names)
    for (const entry of readDirectory(`${root}/${directory}`)) {
      await turns.next()
      const path = directory === '' ? entry.name : `${directory}/${entry.name}`
      const stat = lstatSync(fsPath(`${root}/${path}`), { bigint: true })
      names.set(entry.name, fingerprint(stat))
      if (stat.ctimeNs > newest) newest = stat.ctimeNs
      if (entry.isDirectory()) pending.push(path)
    }
  }
  return { directories, newest }
}

function fingerprint(stat: BigIntStats): string {
  return `${stat.ino}.${stat.ctimeNs}`
}

/** Gives what a layer holds its times in the tree that it was copied from, too. @returns the tree's index then */
export async function takeTimes(layer: AsyncIterable<Change>, root: string, index: TreeIndex): Promise<TreeIndex> {
  const paths: string[] = []
  for await (const change of layer) {
    if (change.kind !== 'upsert') continue
    const place = fsPath(`${root}/${change.path}`)
    if (lstatSync(place, { bigint: true }).mtimeNs !== change.stat.mtimeNs) setTimes(place, change.stat.mtimeNs)
    paths.push(change.path)
  }
  const directories = new Map(Array.from(index.directories, ([directory, names]) => [directory, new Map(names)]))
  let { newest } = index
  // When all have theirs: a file with several names changes under each of them.
  for (const path of paths) {
    const stat = lstatSync(fsPath(`${root}/${path}`), { bigint: true })
    const slash = path.lastIndexOf('/')
    directories.get(path.slice(0, Math.max(0, slash)))?.set(path.slice(slash + 1), fingerprint(stat))
    if (stat.ctimeNs > newest) newest = stat.ctimeNs
  }
  return { directories, newest }
}

/**
 * Copies what has changed in a tree since it was indexed to `delta`, an empty directory, with whiteouts for what is gone.
 *
 * @param below content directories of the layers that the tree showed then, top first
 * @returns the tree's index now
 * @throws RESERVED_NAME
 */
export async function copyChanges(
  root: string,
  before: TreeIndex,
  below: readonly string[],
  delta: string,
  signal: AbortSignal | undefined,
): Promise<TreeIndex> {
  const turns = new Turns(signal)
  const linked = new Map<string, string>()
  const directories = new Map<string, Map<string, string>>()
  let newest = 0n

  /** Directories of the delta are made when something needs them; `stat` is what they get. */
  interface Level {
    readonly path: string
    readonly stat: BigIntStats | undefined
    readonly parent: Level | undefined
    made: boolean
  }
  const at = (base: string, path: string) => (path === '' ? base : `${base}/${path}`)
  function ensure(level: Level): string {
    const place = at(delta, level.path)
    if (!level.made) {
      if (level.parent) ensure(level.parent)
      if (level.stat) copyDirectory(at(root, level.path), level.stat, place)
      level.made = true
    }
    return place
  }

  async function compare(level: Level, parts: readonly string[]): Promise<void> {
    const old = before.directories.get(level.path)
    const now = new Map<string, string>()
    directories.set(level.path, now)
    for (const entry of readDirectory(at(root, level.path))) {
      await turns.next()
      const path = level.path === '' ? entry.name : `${level.path}/${entry.name}`
      if (entry.name.startsWith('.wh.')) throw snapshotErrors.reservedName([`/${path}`])
      const source = at(root, path)
      const stat = lstatSync(fsPath(source), { bigint: true })
      if (stat.ctimeNs > newest) newest = stat.ctimeNs
      now.set(entry.name, fingerprint(stat))
      const touched = now.get(entry.name) !== old?.get(entry.name)
      if (!stat.isDirectory() && !touched) continue
      const found = lookBelow(parts, entry.name, fileWhiteouts)
      if (stat.isDirectory()) {
        const child: Level = { path, stat, parent: level, made: false }
        const same =
          found.kind === 'directory' && (!touched || sameDirectory(source, stat, found.parts[0]!, found.stat))
        if (!same) ensure(child)
        await compare(child, found.kind === 'directory' ? found.parts : [])
        if (child.made) setTimes(fsPath(at(delta, path)), stat.mtimeNs)
        else if (found.kind === 'directory' && found.stat.mtimeNs !== stat.mtimeNs) {
          // What came and went in it: the layer knows nothing of that, so neither does who sees it.
          setTimes(fsPath(source), found.stat.mtimeNs)
          now.set(entry.name, fingerprint(lstatSync(fsPath(source), { bigint: true })))
        }
      } else if (found.kind !== 'other' || !(await sameFile(source, stat, found.path, found.stat, turns))) {
        copyEntry(source, stat, `${ensure(level)}/${entry.name}`, linked)
      }
    }
    for (const name of old?.keys() ?? []) {
      if (now.has(name)) continue
      // What came and went since the layers below is not in them.
      if (lookBelow(parts, name, fileWhiteouts).kind !== 'none') fileWhiteouts.hide(ensure(level), name)
    }
  }

  await compare({ path: '', stat: undefined, parent: undefined, made: true }, below)
  return { directories, newest }
}
