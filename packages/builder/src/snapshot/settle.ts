/**
 * Reduces what an overlay mount has left in its upper directory to what really changed.
 *
 * The kernel copies directories up that are only looked into for writing, copies files up that are opened for writing, and
 * marks every new directory opaque. A layer should hold none of this: what is the same below is dropped, and an opaque
 * directory becomes one with explicit whiteouts (image-spec layer.md asks for these).
 */
import { lstatSync, lutimesSync, rmdirSync, unlinkSync } from 'node:fs'
import { fsPath, readDirectory } from '../util/raw-path.ts'
import { getXattr, removeXattr } from '../util/syscalls.ts'
import { lookBelow, namesBelow } from './below.ts'
import { sameDirectory, sameFile } from './compare.ts'
import { deviceWhiteouts } from './marks.ts'
import { Turns } from './turns.ts'

/**
 * @param below content directories of the layers below, top first
 * @param opaqueXattr name of the mount's opaque mark
 * @throws CANCELLED
 */
export async function settle(
  upper: string,
  below: readonly string[],
  opaqueXattr: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  await settleDirectory(upper, below, false, { opaqueXattr, turns: new Turns(signal) })
}

interface Way {
  readonly opaqueXattr: string
  readonly turns: Turns
}

/** @param opaque hides all of `parts`, by its own mark or a parent's */
async function settleDirectory(directory: string, parts: readonly string[], opaque: boolean, way: Way): Promise<void> {
  const { opaqueXattr, turns } = way
  const before = lstatSync(fsPath(directory))
  const present = new Set<string>()
  let changed = false
  for (const entry of readDirectory(directory)) {
    await turns.next()
    const path = `${directory}/${entry.name}`
    present.add(entry.name)
    if (deviceWhiteouts.hides(directory, entry) !== undefined) continue
    const below = lookBelow(parts, entry.name, deviceWhiteouts)
    const stat = lstatSync(fsPath(path), { bigint: true })
    if (!entry.isDirectory()) {
      if (below.kind !== 'other' || !(await sameFile(path, stat, below.path, below.stat, turns))) continue
      unlinkSync(fsPath(path))
      changed = true
    } else if (below.kind !== 'directory') clearOpaque(path, opaqueXattr)
    else {
      const hides = opaque || getXattr(fsPath(path), opaqueXattr) !== undefined
      await settleDirectory(path, below.parts, hides, way)
      if (!sameDirectory(path, stat, below.parts[0]!, below.stat) || !removeIfEmpty(path)) continue
      changed = true
    }
  }
  if (opaque) {
    for (const name of namesBelow(parts, deviceWhiteouts)) {
      if (present.has(name)) continue
      deviceWhiteouts.hide(directory, name)
      changed = true
    }
    removeXattr(fsPath(directory), opaqueXattr)
  }
  if (changed) lutimesSync(fsPath(directory), before.atimeMs / 1000, before.mtimeMs / 1000)
}

/** Removes the marks in a directory that hides nothing. */
function clearOpaque(directory: string, opaqueXattr: string): void {
  removeXattr(fsPath(directory), opaqueXattr)
  for (const entry of readDirectory(directory))
    if (entry.isDirectory()) clearOpaque(`${directory}/${entry.name}`, opaqueXattr)
}

function removeIfEmpty(directory: string): boolean {
  try {
    rmdirSync(fsPath(directory))
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOTEMPTY') return false
    throw error
  }
}
