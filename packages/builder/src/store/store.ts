/**
 * The state of tsbuild on disk: an OCI image layout (blobs and image names) with records, locks and leases beside it.
 *
 * ```
 * <root>/oci-layout index.json blobs/      what other tools can read
 * <root>/records/                          small JSON records
 * <root>/snapshots/                        root filesystems; the worker's (snapshot/)
 * <root>/tmp/ locks/ leases/ quarantine/   housekeeping
 * ```
 */
import { randomUUID } from 'node:crypto'
import { link, mkdir, readdir, readFile, rm, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { currentOwner, isAbandoned } from '../util/owner.ts'
import { openBlobs } from './blobs.ts'
import type { ContentStore } from './content-store.ts'
import { storeErrors } from './errors.ts'
import { type Lease, type LeaseInfo, type Locks, openLeases, openLocks } from './locks.ts'
import { openRecords, type Records } from './records.ts'
import { emptyIndex, type Images, openImages } from './refs.ts'

/** An open store. It holds no descriptors and needs no closing. */
export interface Store {
  /** Absolute path of its directory. */
  readonly root: string
  readonly blobs: ContentStore
  readonly records: Records
  readonly images: Images
  readonly locks: Locks
  /** Says that a build is under way, until disposed: see {@link Lease}. */
  lease(now: number): Promise<Lease>
  /** Leases of processes that live. */
  leases(now: number): Promise<LeaseInfo[]>
}

const LAYOUT = JSON.stringify({ imageLayoutVersion: '1.0.0' })

/**
 * Opens the store in a directory and makes it when it is missing or empty; removes what dead processes left in `tmp`.
 *
 * @throws STORE_FORMAT when the directory holds something else
 */
export async function openStore(root: string): Promise<Store> {
  await prepare(root)
  await sweep(join(root, 'tmp'))
  const locks = openLocks(join(root, 'locks'))
  const leases = openLeases(join(root, 'leases'))
  return {
    root,
    locks,
    blobs: openBlobs(root),
    records: openRecords(root),
    images: openImages(root, locks),
    lease: (now) => leases.begin(now),
    leases: (now) => leases.live(now),
  }
}

async function prepare(root: string): Promise<void> {
  const layout = await readFile(join(root, 'oci-layout'), 'utf8').catch(() => undefined)
  if (layout !== undefined) {
    if (!layout.includes('"1.0.0"')) throw storeErrors.storeFormat([root, 'its oci-layout has an unknown version'])
    return
  }
  await mkdir(root, { recursive: true })
  // Hidden entries belong to others, as in a home directory that is used as the store.
  const present = (await readdir(root)).filter((n) => !['tmp', 'blobs', 'index.json'].includes(n) && !n.startsWith('.'))
  if (present.length > 0 && !present.every((name) => name.endsWith('.new')))
    throw storeErrors.storeFormat([root, `it is not empty and not a store (it holds ${present[0]})`])
  await mkdir(join(root, 'blobs', 'sha256'), { recursive: true })
  await mkdir(join(root, 'tmp'), { recursive: true, mode: 0o700 })
  // The layout file comes last: its presence says that the rest is there.
  await writeOnce(root, 'index.json', JSON.stringify(emptyIndex()))
  await writeOnce(root, 'oci-layout', LAYOUT)
}

/** Several builds, of several processes or of one, may do this at once: the first one's file stays. */
async function writeOnce(root: string, name: string, content: string): Promise<void> {
  const temporary = join(root, `${name}.${currentOwner()}.${randomUUID()}.new`)
  await writeFile(temporary, content, { flush: true })
  try {
    await link(temporary, join(root, name))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    await unlink(temporary)
  }
}

async function sweep(directory: string): Promise<void> {
  const now = Date.now()
  for (const name of await readdir(directory).catch(() => [])) {
    const path = join(directory, name)
    if (isAbandoned(path, name, now)) await rm(path, { recursive: true, force: true })
  }
}
