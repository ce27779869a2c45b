/** Snapshots by overlay mounts: what a RUN or COPY writes into the upper directory is the layer. */
import { lstatSync, statfsSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { throwIfAborted } from '../errors.ts'
import { removeTree } from '../util/remove-tree.ts'
import { removeXattr, setXattr, unmount } from '../util/syscalls.ts'
import { readChanges } from './changes.ts'
import { CommittedSnapshots } from './committed.ts'
import { snapshotErrors } from './errors.ts'
import { deviceWhiteouts } from './marks.ts'
import { mountOverlay } from './overlay-mount.ts'
import { OverlayPlaces } from './overlay-places.ts'
import { currentRoot, inheritedRoot, inheritRoot, type RootAttributes, sameRoot } from './root-attributes.ts'
import { settle } from './settle.ts'
import type { ActiveSnapshot, SnapshotId, Snapshotter, SnapshotView } from './snapshotter.ts'
import { settleRoot, settleTimes } from './times.ts'

const MOST_LAYERS = 500

/**
 * Snapshots in `directory`. The process must be in a mount namespace of its own, with private propagation, and be allowed to
 * mount there: as root, or as uid 0 of a user namespace.
 *
 * @throws OVERLAY_UNAVAILABLE when the directory's file system or the kernel cannot do it
 */
export function openOverlaySnapshotter(directory: string): Snapshotter {
  const committed = new CommittedSnapshots(directory)
  const { places, userXattr } = probe(committed)
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

  async function prepare(
    stack: readonly SnapshotId[],
    signal?: AbortSignal,
    mountPoints: readonly string[] = [],
  ): Promise<ActiveSnapshot> {
    throwIfAborted(signal)
    const inherited = inherit(stack)
    const lowers = lowersOf(stack)
    const top = lowers[0]
    if (mountPoints.length > 0) lowers.push(places.backdrop(mountPoints))
    const { place, upper, work } = places.forSnapshot()
    const time = inheritRoot(upper, inherited, top)
    const mounted = lowers.length > 0 ? mountUpper(upper, work, lowers) : undefined
    if (!mounted) places.discard(work)
    let state: 'active' | 'released' | 'gone' = 'active'
    function release(): void {
      if (state === 'active') mounted?.end()
      state = 'released'
    }
    const active: ActiveSnapshot = {
      root: mounted?.root ?? upper,
      async commit(id, made) {
        committed.content(id)
        release()
        if (mounted) await settle(upper, lowers, opaqueXattr, signal)
        const facts = { based: mounted !== undefined, rootChanged: !sameRoot(currentRoot(upper), inherited) }
        if (made) {
          await settleTimes(readChanges(upper, deviceWhiteouts, false), made)
          settleRoot(upper, time, facts.rootChanged, made)
        }
        await committed.install(place, id, facts)
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
    open.add(active)
    return active
  }

  /** Mounts `lowers` with `directory` on top. */
  function mountUpper(
    directory: string,
    work: string,
    lowers: readonly string[],
  ): { readonly root: string; end(): void } {
    const root = places.inMemory()
    mountOverlay({ target: root, lowers, upper: { directory, work }, userXattr, scratch: places.unused() })
    return {
      root,
      end() {
        unmount(root)
        places.discard(work)
      },
    }
  }

  async function view(stack: readonly SnapshotId[], signal?: AbortSignal): Promise<SnapshotView> {
    throwIfAborted(signal)
    const attributes = inherit(stack)
    const lowers = lowersOf(stack)
    const top = lowers[0]
    // The topmost directory gives the root its attributes.
    const own = top === undefined || !sameRoot(currentRoot(top), attributes)
    if (!own && lowers.length === 1) return { root: top, [Symbol.asyncDispose]: async () => undefined }
    const head = own ? places.onDisk() : undefined
    if (head) inheritRoot(head, attributes, top)
    const mounted = lowers.length > 0
    const root = mounted ? places.inMemory() : head!
    if (mounted)
      mountOverlay({ target: root, lowers: head ? [head, ...lowers] : lowers, userXattr, scratch: places.unused() })
    const made: SnapshotView = {
      root,
      async [Symbol.asyncDispose]() {
        if (!open.delete(made)) return
        if (mounted) unmount(root)
        if (head) places.discard(head)
      },
    }
    open.add(made)
    return made
  }

  return {
    kind: 'overlay',
    has: async (id) => committed.sound(id) !== undefined,
    verify: async (ids = committed.used, depth = 'directories') => committed.verify(ids, depth),
    prepare,
    view,
    async *changes(id, signal) {
      yield* readChanges(committed.content(id), deviceWhiteouts, committed.use(id).rootChanged, signal)
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
      places.close()
      committed.close()
    },
  }
}

/** Tries a mount with a whiteout and finds out whether marks are `user.overlay.*`. @throws OVERLAY_UNAVAILABLE */
function probe(committed: CommittedSnapshots): { readonly places: OverlayPlaces; readonly userXattr: boolean } {
  const directory = committed.temporary()
  let places: OverlayPlaces | undefined
  try {
    places = new OverlayPlaces(directory)
    const [upper, work, root] = [places.onDisk(), places.onDisk(), places.inMemory()]
    const userXattr = !canSetTrusted(upper)
    const lowers = [places.backdrop(['/gone'])]
    mountOverlay({ target: root, lowers, upper: { directory: upper, work }, userXattr, scratch: places.unused() })
    try {
      unlinkSync(join(root, 'gone'))
    } finally {
      unmount(root)
    }
    if (!lstatSync(join(upper, 'gone')).isCharacterDevice()) throw new Error('whiteouts are not devices')
    for (const path of [upper, work]) places.discard(path)
    return { places, userXattr }
  } catch (cause) {
    places?.close()
    removeTree(directory)
    committed.close()
    throw snapshotErrors.overlayUnavailable([reason(committed.directory, cause as Error)], { cause })
  }
}

/** File systems that the kernel puts no upper directory of an overlay on, by the magic numbers of statfs(2). */
const UNFIT: ReadonlyMap<number, string> = new Map([
  [0x794c7630, 'an overlay itself, as the root of a container is, and the kernel puts none on another'],
  [0x6969, 'NFS'],
  [0x65735546, 'FUSE'],
  [0x4d44, 'FAT'],
  [0x01021997, '9P'],
  [0xff534d42, 'CIFS'],
])

function reason(directory: string, { message }: Error): string {
  const unfit = UNFIT.get(statfsSync(directory).type)
  return unfit === undefined ? message : `the file system of ${directory} is ${unfit}`
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
