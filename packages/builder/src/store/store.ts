/**
 * The state of tsbuild on disk: an OCI image layout (blobs and image names) with records, locks and leases beside it.
 *
 * ```
 * <root>/oci-layout index.json blobs/      what other tools can read
 * <root>/records/                          small JSON records
 * <root>/snapshots/                        root filesystems; the worker's (snapshot/)
 * <root>/tmp/ alive/ locks/ leases/ gate.lock quarantine/   housekeeping
 * ```
 *
 * All of it is its owner's alone (mode 0700).
 */
import { link, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { hasCode } from '../util/has-code.ts'
import { sweepLives } from '../util/life.ts'
import { makeDirectorySync } from '../util/make-directory.ts'
import { openBlobs } from './blobs.ts'
import type { ContentStore } from './content-store.ts'
import { storeErrors } from './errors.ts'
import { type Gate, type Lease, type LeaseInfo, openGate, openLeases, type StoreRefs } from './leases.ts'
import { type Locks, openLocks } from './locks.ts'
import { checkOwner } from './owner.ts'
import { openPieces, type Pieces } from './pieces.ts'
import { openRecords, type Records } from './records.ts'
import { emptyIndex, type Images, openImages } from './refs.ts'
import { openTemporaries, type Temporaries } from './temporary.ts'

/** An open store. It holds descriptors only for leases, locks and temporary files, and needs no closing. */
export interface Store {
  /** Absolute path of its directory. */
  readonly root: string
  readonly blobs: ContentStore
  readonly records: Records
  readonly images: Images
  /** Compressed pieces of layers that are in blobs. */
  readonly pieces: Pieces
  readonly locks: Locks
  /** Held alone by who takes things out of reach; see {@link Lease}. */
  readonly gate: Gate
  /** Says that a build is under way, until disposed. Blobs that this store is asked for are kept by its leases. */
  lease(now: number): Promise<Lease>
  /** Has the leases of this store keep something from now on, there or not; without one, nothing is kept. */
  keep(refs: StoreRefs): Promise<void>
  /** Leases of processes that live. */
  leases(now: number): Promise<LeaseInfo[]>
}

const LAYOUT = JSON.stringify({ imageLayoutVersion: '1.0.0' })

/**
 * Opens the store in a directory and makes it when it is missing or empty; removes what dead processes left in `tmp`.
 *
 * @throws STORE_FORMAT when the directory holds something else, STORE_OWNER when the store is another user's
 */
export async function openStore(root: string): Promise<Store> {
  const { store, temporaries } = open(root)
  await prepare(root, temporaries)
  const now = Date.now()
  await temporaries.sweep(now)
  sweepLives(join(root, 'alive'), now)
  return store
}

/**
 * Opens the store in a directory to look at it: nothing is made, swept or claimed, so it may be on a read-only file
 * system. A directory that is missing or empty is a store without anything in it.
 *
 * @throws STORE_FORMAT when the directory holds something else
 */
export async function openStoreToRead(root: string): Promise<Store> {
  if (!(await hasLayout(root))) await refuseOtherContent(root, await readdir(root).catch(noEntries))
  return open(root).store
}

function open(root: string): { readonly store: Store; readonly temporaries: Temporaries } {
  const lives = join(root, 'alive')
  const gate = openGate(root)
  const locks = openLocks(join(root, 'locks'))
  const leases = openLeases(join(root, 'leases'), lives, gate)
  const temporaries = openTemporaries(join(root, 'tmp'), lives)
  const held = new Set<Lease>()
  const keep = async (refs: StoreRefs): Promise<void> => {
    for (const lease of held) await lease.keep(refs)
  }
  const blobs = openBlobs(root, temporaries, (digest) => keep({ blobs: [digest] }))
  const records = openRecords(root, temporaries.file)
  const store: Store = {
    root,
    locks,
    gate,
    keep,
    blobs,
    records,
    pieces: openPieces(records, blobs),
    images: openImages(root, locks, temporaries.file),
    async lease(now) {
      const lease = await leases.begin(now)
      held.add(lease)
      return {
        keep: (refs) => lease.keep(refs),
        async [Symbol.asyncDispose]() {
          held.delete(lease)
          await lease[Symbol.asyncDispose]()
        },
      }
    },
    leases: (now) => leases.live(now),
  }
  return { store, temporaries }
}

async function prepare(root: string, temporaries: Temporaries): Promise<void> {
  if (await hasLayout(root)) return await checkOwner(root)
  makeDirectorySync(root, 0o700)
  await refuseOtherContent(root, await readdir(root))
  makeDirectorySync(join(root, 'blobs', 'sha256'), 0o700)
  // The layout file comes last: its presence says that the rest is there.
  await writeOnce(join(root, 'index.json'), JSON.stringify(emptyIndex()), temporaries)
  await writeOnce(join(root, 'oci-layout'), LAYOUT, temporaries)
}

/** What a store that was not made completely, or lost its layout file, may hold. */
const OWN = new Set([
  ...['index.json', 'blobs', 'records', 'snapshots', 'tmp', 'alive', 'locks', 'leases', 'gate.lock', 'quarantine'],
  ...['cache-mounts', 'collected', 'compile-cache', 'oci-runtime', 'stat-cache'],
])

async function hasLayout(root: string): Promise<boolean> {
  const layout = await readFile(join(root, 'oci-layout'), 'utf8').catch((error: unknown) => {
    if (hasCode(error, 'ENOENT')) return undefined
    throw error
  })
  if (layout !== undefined && !layout.includes('"1.0.0"'))
    throw storeErrors.storeFormat([root, 'its oci-layout has an unknown version'])
  return layout !== undefined
}

/** Hidden entries belong to others, as in a home directory that is used as the store. */
async function refuseOtherContent(root: string, names: readonly string[]): Promise<void> {
  const other = names.find((name) => !OWN.has(name) && !name.startsWith('.') && !name.endsWith('.new'))
  if (other !== undefined) throw storeErrors.storeFormat([root, `it is not empty and not a store (it holds ${other})`])
}

function noEntries(error: unknown): string[] {
  if (hasCode(error, 'ENOENT')) return []
  throw error
}

/** Several builds, of several processes or of one, may do this at once: the first one's file stays. */
async function writeOnce(path: string, content: string, temporaries: Temporaries): Promise<void> {
  await using temporary = temporaries.file('layout')
  await writeFile(temporary.path, content, { flush: true, mode: 0o600 })
  await link(temporary.path, path).catch((error: unknown) => {
    if (!hasCode(error, 'EEXIST')) throw error
  })
}
