/** Snapshots by overlay mounts: what a RUN or COPY writes into the upper directory is the layer. */
import { chmodSync, chownSync, lstatSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { throwIfAborted } from '../errors.ts'
import { removeTree } from '../util/raw-path.ts'
import { removeXattr, setXattr, unmount } from '../util/syscalls.ts'
import { readChanges } from './changes.ts'
import { CommittedSnapshots } from './committed.ts'
import { snapshotErrors } from './errors.ts'
import { deviceWhiteouts } from './marks.ts'
import { mountOverlay } from './overlay-mount.ts'
import { currentRoot, inheritedRoot, type RootAttributes, sameRoot } from './root-attributes.ts'
import { settle } from './settle.ts'
import type { ActiveSnapshot, SnapshotId, Snapshotter, SnapshotView } from './snapshotter.ts'

const MOST_LAYERS = 500

/**
 * Snapshots in `directory`. The process must be in a mount namespace of its own, with private propagation, and be allowed to
 * mount there: as root, or as uid 0 of a user namespace.
 *
 * @throws OVERLAY_UNAVAILABLE when the directory's file system or the kernel cannot do it
 */
export function openOverlaySnapshotter(directory: string): Snapshotter {
  const committed = new CommittedSnapshots(directory)
  const userXattr = probe(committed)
  const opaqueXattr = `${userXattr ? 'user' : 'trusted'}.overlay.opaque`
  const open = new Set<AsyncDisposable>()
  committed.markSynced(Date.now()).catch(() => undefined)

  /** Content directories of a stack, top first, each once: the uppermost of equal layers hides the others. */
  function lowersOf(stack: readonly SnapshotId[]): string[] {
    const lowers = [...new Set([...stack].reverse().map((id) => committed.content(id)))]
    if (lowers.length > MOST_LAYERS) throw snapshotErrors.tooManyLayers([lowers.length])
    return lowers
  }

  function inherit(stack: readonly SnapshotId[]): RootAttributes {
    return inheritedRoot(stack.map((id) => ({ facts: committed.use(id), content: committed.content(id) })))
  }

  function makeRoot(path: string, attributes: RootAttributes): void {
    mkdirSync(path)
    chownSync(path, attributes.uid, attributes.gid)
    chmodSync(path, attributes.mode)
  }

  function track<T extends AsyncDisposable>(resource: T): T {
    open.add(resource)
    return resource
  }

  async function prepare(stack: readonly SnapshotId[], signal?: AbortSignal): Promise<ActiveSnapshot> {
    throwIfAborted(signal)
    const inherited = inherit(stack)
    const lowers = lowersOf(stack)
    const place = committed.temporary()
    const upper = join(place, 'fs')
    makeRoot(upper, inherited)
    const mounted = lowers.length > 0
    const root = mounted ? join(place, 'root') : upper
    if (mounted) {
      const work = join(place, 'work')
      for (const path of [root, work]) mkdirSync(path)
      mountOverlay({ target: root, lowers, upper: { directory: upper, work }, userXattr, scratch: join(place, 'l') })
    }
    let state: 'active' | 'released' | 'gone' = 'active'
    function release(): void {
      if (state !== 'active') return
      if (mounted) unmount(root)
      state = 'released'
    }
    const active: ActiveSnapshot = {
      root,
      async commit(id) {
        committed.content(id)
        release()
        if (mounted) {
          settle(upper, lowers, opaqueXattr)
          for (const name of ['root', 'work', 'l']) removeTree(join(place, name))
        }
        committed.install(place, id, { based: mounted, rootChanged: !sameRoot(currentRoot(upper), inherited) })
        state = 'gone'
        open.delete(active)
      },
      async [Symbol.asyncDispose]() {
        if (state === 'gone') return
        release()
        removeTree(place)
        state = 'gone'
        open.delete(active)
      },
    }
    return track(active)
  }

  async function view(stack: readonly SnapshotId[], signal?: AbortSignal): Promise<SnapshotView> {
    throwIfAborted(signal)
    const attributes = inherit(stack)
    const lowers = lowersOf(stack)
    const top = lowers[0]
    const own = top === undefined || !sameRoot(currentRoot(top), attributes)
    if (!own && lowers.length === 1) return { root: top, [Symbol.asyncDispose]: async () => undefined }
    const place = committed.temporary()
    const root = join(place, 'root')
    makeRoot(root, attributes)
    if (lowers.length > 0) {
      // The topmost directory gives the root its attributes.
      const head = join(place, 'head')
      if (own) makeRoot(head, attributes)
      mountOverlay({ target: root, lowers: own ? [head, ...lowers] : lowers, userXattr, scratch: join(place, 'l') })
    }
    const made: SnapshotView = {
      root,
      async [Symbol.asyncDispose]() {
        if (!open.delete(made)) return
        if (lowers.length > 0) unmount(root)
        removeTree(place)
      },
    }
    return track(made)
  }

  return {
    kind: 'overlay',
    has: async (id) => committed.facts(id) !== undefined,
    prepare,
    view,
    async *changes(id, signal) {
      yield* readChanges(committed.content(id), deviceWhiteouts, committed.use(id).rootChanged, signal)
    },
    list: () => committed.list(),
    remove: async (id) => committed.remove(id),
    async [Symbol.asyncDispose]() {
      for (const resource of [...open]) await resource[Symbol.asyncDispose]()
    },
  }
}

/** Tries a mount with a whiteout and returns whether marks are `user.overlay.*`. @throws OVERLAY_UNAVAILABLE */
function probe(committed: CommittedSnapshots): boolean {
  const place = committed.temporary()
  const at = (name: string) => join(place, name)
  try {
    for (const name of ['low', 'low/gone', 'fs', 'work', 'root']) mkdirSync(at(name))
    const userXattr = !canSetTrusted(at('low'))
    mountOverlay({
      target: at('root'),
      lowers: [at('low')],
      upper: { directory: at('fs'), work: at('work') },
      userXattr,
      scratch: at('l'),
    })
    try {
      removeTree(at('root/gone'))
      writeFileSync(at('root/new'), '')
    } finally {
      unmount(at('root'))
    }
    if (!lstatSync(at('fs/gone')).isCharacterDevice()) throw new Error('whiteouts are not devices')
    return userXattr
  } catch (cause) {
    throw snapshotErrors.overlayUnavailable([(cause as Error).message], { cause })
  } finally {
    removeTree(place)
  }
}

function canSetTrusted(path: string): boolean {
  try {
    setXattr(path, 'trusted.overlay.probe', Buffer.from('y'))
    removeXattr(path, 'trusted.overlay.probe')
    return true
  } catch {
    return false
  }
}
