/** Reads a committed layer's content as a sorted list of changes. */
import { lstatSync } from 'node:fs'
import { throwIfAborted } from '../errors.ts'
import { compareNames, fsPath, readDirectory } from '../util/raw-path.ts'
import type { WhiteoutStyle } from './marks.ts'
import type { Change } from './snapshotter.ts'

interface Item {
  readonly name: string
  readonly kind: 'gone' | 'directory' | 'other'
}

interface Level {
  readonly directory: string
  /** '' or ends with a slash. */
  readonly prefix: string
  readonly items: readonly Item[]
  next: number
}

/** @param rootChanged the root directory's own attributes are a change */
export async function* readChanges(
  content: string,
  style: WhiteoutStyle,
  rootChanged: boolean,
  signal?: AbortSignal,
): AsyncGenerator<Change> {
  if (rootChanged) yield { kind: 'upsert', path: '', fsPath: content, stat: lstatSync(content, { bigint: true }) }
  const levels: Level[] = [{ directory: content, prefix: '', items: itemsOf(content, style), next: 0 }]
  for (let level = levels.at(-1); level; level = levels.at(-1)) {
    throwIfAborted(signal)
    const item = level.items[level.next++]
    if (!item) {
      levels.pop()
      continue
    }
    const path = level.prefix + item.name
    if (item.kind === 'gone') {
      yield { kind: 'delete', path }
      continue
    }
    const place = `${level.directory}/${item.name}`
    yield { kind: 'upsert', path, fsPath: fsPath(place), stat: lstatSync(fsPath(place), { bigint: true }) }
    if (item.kind === 'directory')
      levels.push({ directory: place, prefix: `${path}/`, items: itemsOf(place, style), next: 0 })
  }
}

/** The entries of a directory, in byte order of the names that they are about. */
function itemsOf(directory: string, style: WhiteoutStyle): Item[] {
  let renamed = false
  // No layer can hold a socket.
  const entries = readDirectory(directory).filter((entry) => !entry.isSocket())
  const items = entries.map((entry): Item => {
    const gone = style.hides(directory, entry)
    if (gone === undefined) return { name: entry.name, kind: entry.isDirectory() ? 'directory' : 'other' }
    renamed ||= gone !== entry.name
    return { name: gone, kind: 'gone' }
  })
  return renamed ? items.sort((a, b) => compareNames(a.name, b.name)) : items
}
