/** Operations of the worker on what cache mounts hold: packed for a shared cache, and filled from one. */
import { createHash, type Hash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { zstdCompress, zstdDecompress } from 'node:zlib'
import { mediaTypes } from '@tsbuild/registry-client'
import { throwIfAborted } from '../errors.ts'
import { LayerApplier } from '../layer/apply.ts'
import { CHUNK_SIZES, contentChunks } from '../layer/content-chunks.ts'
import { layerErrors } from '../layer/errors.ts'
import { readLayer } from '../layer/read-layer.ts'
import { meaningOf } from '../layer/whiteouts.ts'
import { hasCode } from '../util/has-code.ts'
import { MountArchive, StillChanging, TooMuch } from './cache-mount-archive.ts'
import { cacheMountName } from './cache-mount-name.ts'
import type { CacheMounts } from './cache-mounts.ts'
import type { MountPacked, WorkerOperations } from './worker-api.ts'

type Params<O extends keyof WorkerOperations> = WorkerOperations[O]['params']

const compress = promisify(zstdCompress)
const decompress = promisify(zstdDecompress)

/** Files and directories that a mount may have. */
export const MOST_ENTRIES = 1_000_000
/** Chunks that are compressed at the same time. */
const AT_ONCE = 3
/** How often it is read when it changes meanwhile. */
const ATTEMPTS = 3

/** Packs what a cache mount holds. @param maxEntries for tests */
export async function packMount(
  { name, sharing, out, maxSize }: Params<'mount.pack'>,
  mounts: CacheMounts,
  signal: AbortSignal,
  maxEntries = MOST_ENTRIES,
): Promise<MountPacked> {
  const packed = await mounts.read(
    name,
    sharing,
    async (directory): Promise<MountPacked> => {
      for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
        try {
          return await pack(directory, out, new MountArchive({ maxSize, maxEntries }, signal))
        } catch (error) {
          if (error instanceof TooMuch) return { status: 'too-big', what: error.message }
          // Of files that are gone when they are opened the system says ENOENT, or ESTALE.
          if (!(error instanceof StillChanging) && !hasCode(error, 'ENOENT', 'ESTALE')) throw error
        }
      }
      return { status: 'changing' }
    },
    signal,
  )
  if (packed === 'busy') return { status: 'busy' }
  return packed ?? { status: 'absent' }
}

async function pack(directory: string, out: string, archive: MountArchive): Promise<MountPacked> {
  const hash = createHash('sha256')
  const chunks: Promise<{ digest: string; size: number }>[] = []
  try {
    for await (const chunk of contentChunks(hashed(archive.bytes(directory), hash))) {
      chunks.push(save(chunk, out))
      chunks.at(-1)!.catch(() => undefined)
      if (chunks.length > AT_ONCE) await chunks.at(-1 - AT_ONCE)
    }
    // Nothing to be carried: what a cache has of it, from a job that had more luck, is of more use.
    if (archive.isEmpty) return { status: 'absent' }
    const { size, leftOut } = archive
    const diffID = `sha256:${hash.digest('hex')}`
    return { status: 'packed', diffID, size, leftOut, chunks: await Promise.all(chunks) }
  } finally {
    await Promise.allSettled(chunks)
  }
}

function* hashed(pieces: Iterable<Buffer>, hash: Hash): Generator<Buffer> {
  for (const piece of pieces) {
    hash.update(piece)
    yield piece
  }
}

async function save(chunk: Buffer, out: string): Promise<{ digest: string; size: number }> {
  const bytes = await compress(chunk)
  const hex = createHash('sha256').update(bytes).digest('hex')
  const path = join(out, hex)
  if (!existsSync(path)) {
    // The same chunk may be in several mounts, which are packed side by side.
    const fresh = `${path}.${process.hrtime.bigint()}`
    await writeFile(fresh, bytes, { flag: 'wx', mode: 0o600 })
    await rename(fresh, path)
  }
  return { digest: `sha256:${hex}`, size: bytes.length }
}

/**
 * Fills an empty cache mount. What the archive is, a stranger may have decided: nothing of it gets out of the directory
 * (as with layers), it makes no devices, and it has no more bytes and entries than it says and may have.
 *
 * @throws UNPACK_FAILED, TAR_INVALID, COMPRESSION_INVALID, DIFF_ID_MISMATCH; the mount is as it was
 */
export async function fillMount(
  { mount, chunks, diffID, size }: Params<'mount.fill'>,
  mounts: CacheMounts,
  signal: AbortSignal,
  maxEntries = MOST_ENTRIES,
): Promise<boolean> {
  return await mounts.fill(mount, async (root) => {
    const applier = new LayerApplier(root, true, () => undefined)
    let entries = 0
    let bytes = 0
    await readLayer(contentOf(chunks, size, signal), mediaTypes.ociLayer, { diffID, signal }, async (entry, read) => {
      bytes += entry.size
      if (bytes > size || ++entries > maxEntries)
        throw layerErrors.unpackFailed([entry.path, `cache mount ${cacheMountName(mount)} has more than it says`])
      if (entry.type === 'char' || entry.type === 'block' || entry.type === 'fifo') return
      // Nothing lies below that could be deleted.
      const { kind } = meaningOf(entry)
      if (kind === 'root' || kind === 'file') await applier.apply(entry, read)
    })
    applier.finish()
  })
}

async function* contentOf(chunks: readonly string[], size: number, signal: AbortSignal): AsyncGenerator<Buffer> {
  let left = size
  for (const path of chunks) {
    throwIfAborted(signal)
    const content = await decompress(await readFile(path), { maxOutputLength: CHUNK_SIZES.max }).catch(
      (cause: unknown) => {
        throw layerErrors.compressionInvalid(['zstd', 'damaged, or longer than chunks are'], { cause })
      },
    )
    left -= content.length
    if (left < 0) throw layerErrors.compressionInvalid(['zstd', 'longer than it says'])
    yield content
  }
}
