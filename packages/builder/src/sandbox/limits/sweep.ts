/** Names control groups, and removes those that a killed worker or runtime has left. */
import { randomUUID } from 'node:crypto'
import fs from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { hasCode } from '../../util/has-code.ts'
import { currentOwner, isAbandoned } from '../../util/life.ts'

/** Groups of ours start with this. */
export const groupPrefix = 'tsbuild-run-'

/** A new name that tells whose the group is. */
export function groupName(): string {
  return `${groupPrefix}${currentOwner()}.${randomUUID()}`
}

/** Removes a group; false when it is still in use, which may last a moment after its processes have ended. */
export function removeGroup(directory: string): boolean {
  try {
    fs.rmdirSync(directory)
    return true
  } catch (error) {
    return !hasCode(error, 'EBUSY')
  }
}

/** {@link removeGroup} with patience. */
export async function removeGroupSoon(directory: string): Promise<void> {
  for (let attempt = 0; attempt < 20 && !removeGroup(directory); attempt++) await setTimeout(10)
}

/**
 * Removes the empty groups in a directory whose owner is gone. That a group is empty says nothing: a process that lives may
 * have made it just now, and join it next.
 */
export function sweepGroups(above: string): void {
  let names: string[] = []
  try {
    names = fs.readdirSync(above)
  } catch (error) {
    if (!hasCode(error, 'ENOENT', 'EACCES')) throw error
  }
  const now = Date.now()
  for (const name of names) {
    const path = join(above, name)
    if (name.startsWith(groupPrefix) && isAbandoned(undefined, path, name.slice(groupPrefix.length), now))
      removeGroup(path)
  }
}

/** Directories that hierarchies of control groups are mounted on. */
export function hierarchyMounts(): string[] {
  const mounts: string[] = []
  for (const line of fs.readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
    const words = line.split(' ')
    if (/^cgroup2?$/.test(words[words.indexOf('-') + 1] ?? '')) mounts.push(words[4]!)
  }
  return mounts
}

/** Directories on the way from the hierarchies' mounts down to `parent` that do not exist yet, outer first. */
export function missingParents(mounts: readonly string[], parent: string): string[] {
  const parts = parent.split('/').filter((part) => part !== '')
  return mounts.flatMap((mount) =>
    parts.map((_, i) => join(mount, ...parts.slice(0, i + 1))).filter((directory) => !fs.existsSync(directory)),
  )
}
