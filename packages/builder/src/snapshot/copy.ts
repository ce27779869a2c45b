/**
 * Snapshots by copies: needs no mounts, no whiteout devices, nothing but the right to change owners.
 *
 * A snapshot's content is a directory of what the layer changed, as the overlay kind has it, with files as whiteouts. An
 * active snapshot is a tree with all layers copied over each other; committing copies what changed out of it. The tree then
 * shows the new stack and is used again for whoever prepares that next, so that building instruction by instruction copies
 * only what each one changed.
 */
import { lstatSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { throwIfAborted } from '../errors.ts'
import { removeTree } from '../util/remove-tree.ts'
import { readChanges } from './changes.ts'
import { CommittedSnapshots } from './committed.ts'
import { fileWhiteouts } from './marks.ts'
import { currentRoot, inheritedRoot, inheritRoot, type RootAttributes, sameRoot } from './root-attributes.ts'
import type { ActiveSnapshot, SnapshotId, Snapshotter, SnapshotView } from './snapshotter.ts'
import { settleRoot, settleTimes } from './times.ts'
import { applyLayer, copyChanges, indexTree, type TreeIndex, takeTimes } from './tree.ts'

/** A tree that shows a stack. */
interface Tree {
  /** Its temporary directory; the tree itself is `root` in it. */
  readonly place: string
  readonly stack: readonly SnapshotId[]
  readonly index: TreeIndex
  /** Views that use it. */
  readers: number
}

/** Trees kept for later use; each is a whole root filesystem. */
const MOST_IDLE = 2
/** Longest step of the clock that file times are taken from. */
const CLOCK_STEP_MS = 10

/** Snapshots in `directory`, by copies. */
export function openCopySnapshotter(directory: string): Snapshotter {
  const committed = new CommittedSnapshots(directory)
  /** Least recently used first. */
  const idle: Tree[] = []
  const open = new Set<AsyncDisposable>()
  committed.markSynced(Date.now()).catch(() => undefined)

  function inherit(stack: readonly SnapshotId[]): RootAttributes {
    return inheritedRoot(stack.map((id) => ({ facts: committed.use(id), content: committed.content(id) })))
  }

  function topOf(stack: readonly SnapshotId[]): string | undefined {
    const top = stack.at(-1)
    return top === undefined ? undefined : committed.content(top)
  }

  /** A tree for the stack: one that shows it or the lower part of it, or a new one. */
  async function materialize(stack: readonly SnapshotId[], signal: AbortSignal | undefined): Promise<Tree> {
    const attributes = inherit(stack)
    const found = idle
      .filter((tree) => tree.readers === 0 && isPrefix(tree.stack, stack))
      .sort((a, b) => b.stack.length - a.stack.length)[0]
    if (found) idle.splice(idle.indexOf(found), 1)
    const place = found?.place ?? committed.temporary()
    const root = join(place, 'root')
    try {
      if (!found) mkdirSync(root)
      const missing = stack.slice(found?.stack.length ?? 0)
      for (const id of missing) await applyLayer(committed.content(id), root, signal)
      inheritRoot(root, attributes, topOf(stack))
      const index = found && missing.length === 0 ? found.index : await indexTree(root, signal)
      return { place, stack, index, readers: 0 }
    } catch (error) {
      removeTree(place)
      throw error
    }
  }

  function keep(tree: Tree): void {
    idle.push(tree)
    while (idle.length > MOST_IDLE) {
      const oldest = idle.find((candidate) => candidate.readers === 0)
      if (!oldest) return
      idle.splice(idle.indexOf(oldest), 1)
      removeTree(oldest.place)
    }
  }

  async function prepare(stack: readonly SnapshotId[], signal?: AbortSignal): Promise<ActiveSnapshot> {
    throwIfAborted(signal)
    const inherited = inherit(stack)
    const tree = await materialize(stack, signal)
    await passBy(tree.index.newest)
    const root = join(tree.place, 'root')
    const time = lstatSync(root, { bigint: true }).mtimeNs
    let state: 'active' | 'gone' = 'active'
    const active: ActiveSnapshot = {
      root,
      async commit(id, made) {
        committed.content(id)
        const place = committed.temporary()
        const delta = join(place, 'fs')
        mkdirSync(delta)
        try {
          const below = [...stack].reverse().map((layer) => committed.content(layer))
          const attributes = currentRoot(root)
          const rootChanged = !sameRoot(attributes, inherited)
          if (made) settleRoot(root, time, rootChanged, made)
          let index = await copyChanges(root, tree.index, below, delta, signal)
          if (made?.time !== undefined) {
            await settleTimes(readChanges(delta, fileWhiteouts, false), made)
            index = await takeTimes(readChanges(delta, fileWhiteouts, false), root, index)
          }
          inheritRoot(delta, attributes, root)
          await committed.install(place, id, { based: stack.length > 0, rootChanged })
          state = 'gone'
          open.delete(active)
          keep({ place: tree.place, stack: [...stack, id], index, readers: 0 })
        } catch (error) {
          removeTree(place)
          throw error
        }
      },
      async [Symbol.asyncDispose]() {
        if (state === 'gone') return
        state = 'gone'
        open.delete(active)
        removeTree(tree.place)
      },
    }
    open.add(active)
    return active
  }

  async function view(stack: readonly SnapshotId[], signal?: AbortSignal): Promise<SnapshotView> {
    throwIfAborted(signal)
    for (const id of stack) committed.use(id)
    const shared = idle.find((tree) => tree.stack.length === stack.length && isPrefix(tree.stack, stack))
    const tree = shared ?? (await materialize(stack, signal))
    if (!shared) keep(tree)
    tree.readers++
    const made: SnapshotView = {
      root: join(tree.place, 'root'),
      async [Symbol.asyncDispose]() {
        if (open.delete(made)) tree.readers--
      },
    }
    open.add(made)
    return made
  }

  return {
    kind: 'copy',
    has: async (id) => committed.sound(id) !== undefined,
    verify: async (ids = committed.used, depth = 'directories') => committed.verify(ids, depth),
    prepare,
    view,
    async *changes(id, signal) {
      yield* readChanges(committed.content(id), fileWhiteouts, committed.use(id).rootChanged, signal)
    },
    list: () => committed.list(),
    async remove(id) {
      committed.remove(id)
      committed.purge()
    },
    discard: async (id) => committed.remove(id),
    async purge() {
      committed.purge()
      return committed.problems.splice(0)
    },
    async [Symbol.asyncDispose]() {
      for (const resource of [...open]) await resource[Symbol.asyncDispose]()
      for (const tree of idle.splice(0)) removeTree(tree.place)
      committed.close()
    },
  }
}

function isPrefix(part: readonly SnapshotId[], stack: readonly SnapshotId[]): boolean {
  return part.length <= stack.length && part.every((id, i) => id === stack[i])
}

/** Waits until the clock has passed a file's change time, so that the next change shows. */
async function passBy(changedNs: bigint): Promise<void> {
  const since = Date.now() - Number(changedNs / 1_000_000n)
  if (since < CLOCK_STEP_MS) await delay(CLOCK_STEP_MS)
}
