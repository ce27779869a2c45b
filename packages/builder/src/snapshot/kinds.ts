/**
 * Which kind of snapshots a store uses. The kinds cannot read each other's content, and a store can change from one to the
 * other, as when a container with other rights builds in it: what the kind in use cannot read is not there for builds, but
 * takes room and can be deleted.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { currentBoot, readFacts } from './facts.ts'
import type { SnapshotId, Snapshotter } from './snapshotter.ts'

type Kind = Snapshotter['kind']

export const KINDS: readonly Kind[] = ['overlay', 'copy']

/** Says which kind was used last: a hint for those who look before they have a worker. */
const KIND_FILE = 'kind'

/** Where the snapshots of a kind are. */
export function kindDirectory(directory: string, kind: Kind): string {
  return join(directory, kind)
}

/** Remembers the kind for {@link committedBefore}. Failing is no harm. */
export function rememberKind(directory: string, kind: Kind): void {
  if (lastKind(directory) === kind) return
  try {
    writeFileSync(join(directory, KIND_FILE), kind, { mode: 0o600 })
  } catch {
    // Looked for in both, then.
  }
}

function lastKind(directory: string): Kind | undefined {
  try {
    const text = readFileSync(join(directory, KIND_FILE), 'utf8')
    return KINDS.find((kind) => kind === text)
  } catch {
    return undefined
  }
}

/**
 * Tells of a snapshot whether it can probably be used, without a worker: of the kind that was used last, complete. What
 * has happened to its content is not looked at, and the worker may have to use another kind.
 */
export function committedBefore(directory: string): (id: SnapshotId) => boolean {
  // Elsewhere than on Linux there are no snapshots.
  if (!existsSync(directory)) return () => false
  const boot = currentBoot()
  const kind = lastKind(directory)
  const places = (kind === undefined ? KINDS : [kind]).map((each) => kindDirectory(directory, each))
  return (id) => places.some((place) => readFacts(join(place, id), boot) !== undefined)
}
