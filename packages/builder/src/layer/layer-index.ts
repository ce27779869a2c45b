/**
 * What a layer holds, without the contents: enough to decide what the next layer has to say, and what is to be copied out
 * of this one. An index is made while a layer is read, belongs to its diffID, and can be made again at any time.
 */
import { createHash, hash } from 'node:crypto'
import { type ReadLayerOptions, type ReadPiece, readLayer } from './read-layer.ts'
import type { TarEntry } from './tar-header.ts'

/** What a layer holds. Files are asked for by the number of their entry. */
export interface LayerIndex {
  /** In the order of the layer. */
  readonly entries: Iterable<TarEntry>
  /** sha256 of a file's content, hexadecimal. */
  digest(entry: number): string | undefined
  /** The content itself, where it was kept: of files that say who is who. */
  data(entry: number): Buffer | undefined
}

/** The index of a layer that was read. */
export function indexOf(entries: readonly IndexedEntry[]): LayerIndex {
  return { entries, digest: (entry) => entries[entry]?.digest, data: (entry) => entries[entry]?.data }
}

/** An entry as the layer has it. */
export interface IndexedEntry extends TarEntry {
  /** sha256 of a file's content, hexadecimal. */
  readonly digest?: string | undefined
  /** The content itself, of files that say who is who. */
  readonly data?: Buffer | undefined
}

/** Raised whenever what is written of an index changes. */
export const INDEX_VERSION = 1

/** Most entries of a layer that is indexed. */
const MOST_ENTRIES = 2_000_000
/** Most memory that may be spent on a layer: on texts, and on directories that paths lead through. */
const MOST_BYTES = 256 * 1024 * 1024
/** What one entry or directory takes beside its texts. */
const NODE_BYTES = 100
/** `/etc/passwd` and `/etc/group`, wherever links lead that stand there. */
const ACCOUNTS = /(^|\/)(passwd|group)$/
const MOST_ACCOUNTS = 1024 * 1024

/**
 * Reads a layer's index.
 *
 * @returns undefined for a layer that has more than memory should be spent on
 * @throws as {@link readLayer}
 */
export async function indexLayer(
  stream: AsyncIterable<Uint8Array>,
  mediaType: string,
  options: ReadLayerOptions,
): Promise<readonly IndexedEntry[] | undefined> {
  const index: IndexedEntry[] = []
  let room = MOST_BYTES
  let before = ''
  let accounts = MOST_ACCOUNTS
  await readLayer(stream, mediaType, options, async (entry, read) => {
    if (room < 0 || index.length === MOST_ENTRIES) return
    room -= textLength(entry) + NODE_BYTES * newParts(before, entry.path)
    before = entry.path
    if (entry.type !== 'file' || entry.size === 0) {
      index.push(entry.type === 'file' ? { ...entry, digest: EMPTY } : entry)
      return
    }
    const keep = ACCOUNTS.test(entry.path) && entry.size <= accounts
    if (keep) accounts -= entry.size
    index.push({ ...entry, ...(await look(entry.size, read, keep)) })
  })
  return room < 0 || index.length === MOST_ENTRIES ? undefined : index
}

/** Digest of an empty file. */
export const EMPTY = hash('sha256', '')

async function look(size: number, read: ReadPiece, keep: boolean): Promise<Pick<IndexedEntry, 'digest' | 'data'>> {
  const first = await read()
  // Most files lie within one piece.
  if (!keep && first?.length === size) return { digest: hash('sha256', first) }
  const digest = createHash('sha256')
  const kept: Buffer[] = []
  for (let piece = first; piece; piece = await read()) {
    digest.update(piece)
    if (keep) kept.push(Buffer.from(piece))
  }
  return { digest: digest.digest('hex'), ...(keep && { data: Buffer.concat(kept) }) }
}

function textLength({ path, linkname = '', xattrs = [] }: TarEntry): number {
  return path.length + linkname.length + xattrs.reduce((sum, [name, value]) => sum + name.length + value.length, 0)
}

/** How many components a path has that the one before has not. */
function newParts(before: string, path: string): number {
  let common = 0
  while (common < path.length && path[common] === before[common]) common++
  let parts = 1
  for (let at = common; at < path.length; at++) if (path[at] === '/') parts++
  return parts
}

type Row = [
  path: string,
  type: TarEntry['type'],
  mode: number,
  uid: number,
  gid: number,
  size: number,
  mtime: number,
  rest?: {
    readonly link?: string
    readonly device?: readonly [major: number, minor: number]
    readonly xattrs?: readonly (readonly [name: string, value: string])[]
    readonly digest?: string
    readonly data?: string
  },
]

/** Writes an index down. */
export function encodeIndex(index: readonly IndexedEntry[]): Buffer {
  const rows = index.map(({ path, type, mode, uid, gid, size, mtime, linkname, device, xattrs, digest, data }): Row => {
    const rest = {
      ...(linkname !== undefined && { link: linkname }),
      ...(device && { device: [device.major, device.minor] as const }),
      ...(xattrs && { xattrs: xattrs.map(([name, value]) => [name, value.toString('base64')] as const) }),
      ...(digest !== undefined && { digest }),
      ...(data && { data: data.toString('base64') }),
    }
    return [path, type, mode, uid, gid, size, mtime, rest]
  })
  return Buffer.from(rows.map((row) => JSON.stringify(row)).join('\n'))
}

/** Reads what {@link encodeIndex} wrote: content that was verified by its digest. */
export function decodeIndex(bytes: Buffer): IndexedEntry[] {
  if (bytes.length === 0) return []
  return bytes.toString().split('\n').map(decodeRow)
}

function decodeRow(line: string): IndexedEntry {
  const [path, type, mode, uid, gid, size, mtime, rest = {}] = JSON.parse(line) as Row
  const { link, device, xattrs, digest, data } = rest
  return {
    ...{ path, type, mode, uid, gid, size, mtime },
    linkname: link,
    device: device && { major: device[0], minor: device[1] },
    xattrs: xattrs?.map(([name, value]) => [name, Buffer.from(value, 'base64')] as const),
    digest,
    data: data === undefined ? undefined : Buffer.from(data, 'base64'),
  }
}
