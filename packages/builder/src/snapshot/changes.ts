/** Reads a committed layer's content as a sorted list of changes. */
import { type Dirent, lstatSync } from 'node:fs'
import { throwIfAborted } from '../errors.ts'
import { fsPath, readDirectory } from '../util/raw-path.ts'
import type { WhiteoutStyle } from './marks.ts'
import type { Change } from './snapshotter.ts'

interface Level {
  readonly directory: string
  /** '' or ends with a slash. */
  readonly prefix: string
  readonly entries: readonly Dirent<string>[]
  next: number
}

/** @param rootChanged the root directory's own attributes are a change */
export async function* readChanges(
  content: string,
  style: WhiteoutStyle,
  rootChanged: boolean,
  signal?: AbortSignal,
): AsyncGenerator<Change> {
  if (rootChanged)
    yield { kind: 'upsert', path: '', fsPath: content, stat: lstatSync(fsPath(content), { bigint: true }) }
  const levels: Level[] = [{ directory: content, prefix: '', entries: readDirectory(content), next: 0 }]
  for (let level = levels.at(-1); level; level = levels.at(-1)) {
    throwIfAborted(signal)
    const entry = level.entries[level.next++]
    if (!entry) {
      levels.pop()
      continue
    }
    const gone = style.hides(level.directory, entry)
    if (gone !== undefined) {
      yield { kind: 'delete', path: level.prefix + gone }
      continue
    }
    const path = level.prefix + entry.name
    const place = `${level.directory}/${entry.name}`
    yield { kind: 'upsert', path, fsPath: place, stat: lstatSync(fsPath(place), { bigint: true }) }
    if (entry.isDirectory())
      levels.push({ directory: place, prefix: `${path}/`, entries: readDirectory(place), next: 0 })
  }
}
