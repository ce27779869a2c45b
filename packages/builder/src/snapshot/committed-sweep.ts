/** What is done with a directory of committed snapshots as a whole: tidied when it is opened, marked as durable later. */
import { closeSync, openSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { isAbandoned, sweepLives } from '../util/life.ts'
import { syncFs } from '../util/syscalls.ts'
import { currentBoot, FACTS_FILE, readFacts, SYNCED_FILE } from './facts.ts'
import type { SnapshotId } from './snapshotter.ts'

/** How old a snapshot is that the kernel has written to disk anyway, or nearly so; milliseconds. */
const OLD_ENOUGH_MS = 60_000

/** Begins the names of what is not committed, or on its way out. */
export const UNFINISHED = '.new-'

/** Where processes are known as alive that have something in a directory of snapshots: beside it. */
export function livesBeside(directory: string): string {
  return join(dirname(directory), 'alive')
}

/** What processes have left that are gone. */
export function abandonedIn(directory: string, now: number): string[] {
  const lives = livesBeside(directory)
  const found = readdirSync(directory)
    .filter((name) => name.startsWith(UNFINISHED))
    .filter((name) => isAbandoned(lives, join(directory, name), name.slice(UNFINISHED.length), now))
  sweepLives(lives, now)
  return found.map((name) => join(directory, name))
}

/** Runs `work` once after every boot of the machine. */
export function oncePerBoot(directory: string, work: () => void): void {
  const [file, boot] = [join(directory, '.boot'), currentBoot()]
  try {
    if (readFileSync(file, 'utf8') === boot) return
  } catch {
    // The first time.
  }
  work()
  writeFileSync(file, boot)
}

/** Marks snapshots of this boot as durable, once they are: with one syncfs for all that are old enough. */
export async function markSynced(directory: string, ids: readonly SnapshotId[], now: number): Promise<void> {
  const boot = currentBoot()
  const unmarked = ids.map((id) => join(directory, id)).filter((path) => isUnmarked(path, boot, now))
  if (unmarked.length === 0) return
  const fd = openSync(directory, 'r')
  try {
    await syncFs(fd)
  } finally {
    closeSync(fd)
  }
  for (const path of unmarked) {
    try {
      writeFileSync(join(path, SYNCED_FILE), '')
    } catch {
      // Removed meanwhile.
    }
  }
}

function isUnmarked(path: string, boot: string, now: number): boolean {
  try {
    if (statSync(join(path, SYNCED_FILE), { throwIfNoEntry: false })) return false
    return now - statSync(join(path, FACTS_FILE)).mtimeMs > OLD_ENOUGH_MS && readFacts(path, boot) !== undefined
  } catch {
    // Damaged, or another user's.
    return false
  }
}
