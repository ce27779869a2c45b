/** Tar archives as content: what ADD unpacks, and contexts that are an archive. */

/** One entry of an archive; its content, if it is not read, is skipped when the next entry is asked for. */
export interface ArchiveEntry {
  /** As in the archive. */
  readonly path: string
  readonly type: 'file' | 'directory' | 'symlink' | 'hardlink' | 'fifo' | 'char' | 'block'
  /** Permission, setuid, setgid and sticky bits. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly size: number
  /** Seconds since the epoch, with a fraction. */
  readonly mtime: number
  readonly linkname?: string | undefined
  readonly xattrs?: readonly (readonly [name: string, value: Buffer])[] | undefined
  readonly content: AsyncIterable<Uint8Array>
}

/** Reads a tar archive, plain or compressed in any way that ADD knows. Rejects for anything else. */
export type ReadArchive = (input: AsyncIterable<Uint8Array>, signal?: AbortSignal) => AsyncIterable<ArchiveEntry>

/** How many bytes {@link looksLikeArchive} wants to see. */
export const ARCHIVE_HEAD = 512

const MAGICS = ['1f8b', '425a68', 'fd377a585a00', '28b52ffd'].map((hex) => Buffer.from(hex, 'hex'))

/** Whether content begins as gzip, bzip2, xz, zstd or tar do. */
export function looksLikeArchive(head: Buffer): boolean {
  return isCompressed(head) || isTarHeader(head)
}

function isCompressed(head: Buffer): boolean {
  return MAGICS.some((magic) => head.subarray(0, magic.length).equals(magic))
}

/** Whether a block is a tar header: its checksum counts its own field as blanks. */
function isTarHeader(head: Buffer): boolean {
  if (head.length < ARCHIVE_HEAD) return false
  const stored = Number.parseInt(head.toString('latin1', 148, 156).replace(/[\0 ]+$/, ''), 8)
  let unsigned = 8 * 0x20
  let signed = 8 * 0x20
  for (let i = 0; i < ARCHIVE_HEAD; i++) {
    if (i >= 148 && i < 156) continue
    unsigned += head[i]!
    signed += head.readInt8(i)
  }
  return stored === unsigned || stored === signed
}
