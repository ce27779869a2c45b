/** Packs what a snapshot changed into a layer: a deterministic tar archive (image-spec layer.md "Representing Changes"). */
import { type BigIntStats, constants, openSync, readlinkSync } from 'node:fs'
import { type Digest, mediaTypes } from '@tsbuild/registry-client'
import { throwIfAborted } from '../errors.ts'
import { snapshotErrors } from '../snapshot/errors.ts'
import type { Change } from '../snapshot/snapshotter.ts'
import type { Pieces, PieceTable } from '../store/pieces.ts'
import type { Content } from '../util/content.ts'
import { decodeName } from '../util/raw-path.ts'
import { decodeDevice, getXattr, listXattrs } from '../util/syscalls.ts'
import { BlobFile } from './blob-file.ts'
import { CompressedWriter, type Compression } from './compress.ts'
import { layerErrors } from './errors.ts'
import type { TarEntry, TarType } from './tar-header.ts'
import { TarWriter } from './tar-writer.ts'
import { isPackedXattr } from './xattrs.ts'

export interface PackOptions {
  readonly compression: Compression
  /** As zlib or zstd count; undefined: 6 for gzip, 3 for zstd. */
  readonly level?: number | undefined
  /** Where pieces are found that were compressed before; default: nowhere. */
  readonly pieces?: Pieces | undefined
  /** Replaces an entry's modification time, in seconds (SOURCE_DATE_EPOCH). */
  readonly mapTime?: ((seconds: number) => number) | undefined
  readonly signal?: AbortSignal | undefined
  /** Up to this many bytes no file is made: {@link PackedLayer.content} has them. Default 0. */
  readonly inMemory?: number | undefined
  /** Called now and then with the uncompressed bytes so far. */
  readonly onProgress?: ((bytes: number) => void) | undefined
}

/** A layer as it was written. */
export interface PackedLayer {
  readonly mediaType: string
  /** Of the uncompressed archive. */
  readonly diffID: Digest
  readonly uncompressedSize: number
  /** Of the blob. */
  readonly digest: Digest
  readonly size: number
  /** Number of entries; 0 for a layer that changes nothing. */
  readonly entries: number
  /** The blob itself; undefined when it is in the file. */
  readonly content: Buffer | undefined
  /** Its pieces, for {@link Pieces.save}. */
  readonly pieces: PieceTable | undefined
}

/** Blobs up to this size are handed on in memory: that costs less than a file, and many are in the store already. */
export const SMALL_LAYER = 64 * 1024

/** OCI media types of the layers that are written. */
export const LAYER_TYPES: Readonly<Record<Compression, string>> = {
  gzip: mediaTypes.ociLayerGzip,
  zstd: mediaTypes.ociLayerZstd,
  none: mediaTypes.ociLayer,
}

/** An entry on its way into an archive. */
export interface PackedEntry {
  readonly entry: TarEntry
  /** Of files. */
  readonly content?: Content | undefined
  /** Called with the content as it is read. */
  readonly seen?: (piece: Buffer) => void
}

/**
 * Writes what a snapshot changed as a layer to a new file, as {@link packEntries}. Sockets are left out; of a file with
 * several names the first one carries the content.
 *
 * @throws FILE_CHANGED
 */
export async function packLayer(
  changes: AsyncIterable<Change>,
  options: PackOptions,
  out: string,
): Promise<PackedLayer> {
  return await packEntries(entriesOf(changes), options, out)
}

/**
 * Writes a layer to a new file, ready for `ContentStore.adopt`. The same entries give the same bytes everywhere.
 *
 * @param out path of a file that does not exist yet; it is of no use when this rejects
 */
export async function packEntries(
  entries: AsyncIterable<PackedEntry> | Iterable<PackedEntry>,
  options: PackOptions,
  out: string,
): Promise<PackedLayer> {
  const { mapTime } = options
  await using file = new BlobFile(out, options.inMemory ?? 0)
  const compressed = new CompressedWriter(file, options)
  try {
    const tar = new TarWriter(compressed, options.onProgress)
    let count = 0
    const add = ({ entry, content, seen }: PackedEntry): Promise<void> | undefined => {
      throwIfAborted(options.signal)
      count++
      return tar.entry(mapTime === undefined ? entry : { ...entry, mtime: mapTime(entry.mtime) }, content, seen)
    }
    // Tens of thousands of entries that wait for nothing are not made to.
    if (Symbol.asyncIterator in entries) for await (const each of entries) await add(each)
    else
      for (const each of entries) {
        const waiting = add(each)
        if (waiting !== undefined) await waiting
      }
    const written = await tar.end()
    return { mediaType: LAYER_TYPES[options.compression], ...written, entries: count, content: file.content() }
  } finally {
    await compressed.settle()
  }
}

async function* entriesOf(changes: AsyncIterable<Change>): AsyncGenerator<PackedEntry> {
  const linked = new Map<string, string>()
  for await (const change of changes) {
    if (change.kind === 'delete') {
      yield { entry: whiteoutOf(change.path) }
      continue
    }
    const entry = entryOf(change.path, change.fsPath, change.stat, linked)
    if (entry) yield entry.type === 'file' ? { entry, content: fileAt(change.fsPath, entry.path) } : { entry }
  }
}

function fileAt(place: string | Buffer, path: string): Content {
  return {
    open: () => openSync(place, constants.O_RDONLY | constants.O_NOFOLLOW),
    changed: () => layerErrors.fileChanged([path]),
  }
}

/** The entry that says that what is below at a path is gone. */
export function whiteoutOf(path: string): TarEntry {
  const slash = path.lastIndexOf('/') + 1
  const name = `${path.slice(0, slash)}.wh.${path.slice(slash)}`
  return { path: name, type: 'file', mode: 0, uid: 0, gid: 0, size: 0, mtime: 0 }
}

/** A name that would say something else to whoever unpacks the layer. */
const RESERVED = /(^|\/)\.wh\.[^/]*$/

/** The header for a file; `linked` remembers the first path of files with several. Undefined for sockets. */
function entryOf(
  path: string,
  place: string | Buffer,
  stat: BigIntStats,
  linked: Map<string, string>,
): TarEntry | undefined {
  const type = typeOf(stat)
  if (!type) return undefined
  if (RESERVED.test(path)) throw snapshotErrors.reservedName([`/${path}`])
  const entry: TarEntry = {
    path: path === '' ? '.' : path,
    type,
    mode: Number(stat.mode & 0o7777n),
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    size: type === 'file' ? Number(stat.size) : 0,
    mtime: Number(stat.mtimeNs / 1_000_000_000n),
  }
  if (stat.nlink > 1n && type !== 'directory') {
    const inode = `${stat.dev}:${stat.ino}`
    const first = linked.get(inode)
    if (first !== undefined) return { ...entry, type: 'hardlink', size: 0, linkname: first }
    linked.set(inode, path)
  }
  if (type === 'symlink') return { ...entry, mode: 0o777, linkname: decodeName(readlinkSync(place, 'buffer')) }
  if (type === 'char' || type === 'block') return { ...entry, device: decodeDevice(stat.rdev) }
  const xattrs = xattrsOf(place)
  return xattrs.length === 0 ? entry : { ...entry, xattrs }
}

function typeOf(stat: BigIntStats): TarType | undefined {
  if (stat.isFile()) return 'file'
  if (stat.isDirectory()) return 'directory'
  if (stat.isSymbolicLink()) return 'symlink'
  if (stat.isFIFO()) return 'fifo'
  if (stat.isCharacterDevice()) return 'char'
  return stat.isBlockDevice() ? 'block' : undefined
}

function xattrsOf(place: string | Buffer): [string, Buffer][] {
  const found: [string, Buffer][] = []
  for (const name of listXattrs(place)) {
    const value = isPackedXattr(name) ? getXattr(place, name) : undefined
    if (value) found.push([name, value])
  }
  return found
}
