/**
 * Headers of tar archives as they are written: ustar, with pax records for what does not fit (POSIX.1 pax "ustar
 * Interchange Format", "pax Header Block"; extended attributes as `SCHILY.xattr.*`).
 */
import { encodePath } from '../util/raw-path.ts'

export type TarType = 'file' | 'directory' | 'symlink' | 'hardlink' | 'fifo' | 'char' | 'block'

/** One entry of an archive. Paths are exact byte strings as in util/raw-path.ts. */
export interface TarEntry {
  /** As in the archive, without the slash that ends the names of directories. */
  readonly path: string
  readonly type: TarType
  /** Permission bits with set-id and sticky. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** Bytes of content; 0 for everything but files. */
  readonly size: number
  /** Seconds since the epoch; written as whole seconds. */
  readonly mtime: number
  /** What comes to the time, 0 to 999: layers do without. */
  readonly milliseconds?: number | undefined
  /** Target of a symlink; path of the earlier entry for a hard link. */
  readonly linkname?: string | undefined
  readonly device?: { readonly major: number; readonly minor: number } | undefined
  /** Sorted by name. */
  readonly xattrs?: readonly (readonly [name: string, value: Buffer])[] | undefined
}

/** Size of a header and unit of everything in an archive. */
export const BLOCK = 512

const TYPE_FLAGS: Readonly<Record<TarType, number>> = {
  file: 0x30,
  hardlink: 0x31,
  symlink: 0x32,
  char: 0x33,
  block: 0x34,
  directory: 0x35,
  fifo: 0x36,
}
const PAX_FLAG = 0x78
const MAX_ID = 0o7777777
const MAX_SIZE = 0o77777777777
const NAME_LENGTH = 100

const plainHeader = Buffer.allocUnsafeSlow(BLOCK)

/**
 * The bytes that stand before an entry's content: one header, or a pax header, its records and a header. They are valid
 * until the next call.
 */
export function encodeHeader(entry: TarEntry): Buffer {
  const name = encodePath(entry.type === 'directory' ? `${entry.path}/` : entry.path)
  const link = encodePath(entry.linkname ?? '')
  const records = paxRecords(entry, name, link)
  if (records.length === 0) {
    writeBlock(plainHeader.fill(0), 0, entry, name, link)
    return plainHeader
  }
  const paxSize = Math.ceil(records.length / BLOCK) * BLOCK
  const out = Buffer.alloc(BLOCK + paxSize + BLOCK)
  const pax: TarEntry = { path: '', type: 'file', mode: 0, uid: 0, gid: 0, size: records.length, mtime: 0 }
  writeBlock(out, 0, pax, Buffer.from(`PaxHeaders.0/${asciiPart(name).slice(-80)}`), Buffer.alloc(0), PAX_FLAG)
  records.copy(out, BLOCK)
  writeBlock(out, BLOCK + paxSize, entry, Buffer.from(asciiPart(name)), Buffer.from(asciiPart(link)))
  return out
}

/** Zero bytes between an entry's content and the next header. */
export function paddingOf(size: number): number {
  return (BLOCK - (size % BLOCK)) % BLOCK
}

function paxRecords(entry: TarEntry, name: Buffer, link: Buffer): Buffer {
  const records: Buffer[] = []
  const add = (key: string, value: Buffer | string) => records.push(paxRecord(key, Buffer.from(value)))
  for (const [xattr, value] of entry.xattrs ?? []) add(`SCHILY.xattr.${xattr}`, value)
  if (entry.gid > MAX_ID) add('gid', String(entry.gid))
  if (link.length > NAME_LENGTH || !isAscii(link)) add('linkpath', link)
  const mtime = Math.floor(entry.mtime)
  if (mtime < 0 || mtime > MAX_SIZE) add('mtime', String(mtime))
  else if (entry.milliseconds) add('mtime', `${mtime}.${String(entry.milliseconds).padStart(3, '0')}`)
  if (name.length > NAME_LENGTH || !isAscii(name)) add('path', name)
  if (entry.size > MAX_SIZE) add('size', String(entry.size))
  if (entry.uid > MAX_ID) add('uid', String(entry.uid))
  return records.length === 0 ? EMPTY : Buffer.concat(records)
}

const EMPTY = Buffer.alloc(0)

/** `<length> <key>=<value>\n`, where the length counts its own digits. */
function paxRecord(key: string, value: Buffer): Buffer {
  const rest = Buffer.byteLength(key) + value.length + 3
  let length = rest + String(rest).length
  if (String(length).length !== String(rest).length) length = rest + String(length).length
  return Buffer.concat([Buffer.from(`${length} ${key}=`), value, Buffer.from('\n')])
}

function isAscii(bytes: Buffer): boolean {
  for (let i = 0; i < bytes.length; i++) if (bytes[i]! >= 0x80) return false
  return true
}

/** What stands in a header whose real text is in a pax record: for people with old tools only. */
function asciiPart(bytes: Buffer): string {
  return Buffer.from(bytes.filter((byte) => byte < 0x80)).toString('latin1', 0, NAME_LENGTH)
}

function writeBlock(
  out: Buffer,
  at: number,
  entry: TarEntry,
  name: Buffer,
  link: Buffer,
  flag = TYPE_FLAGS[entry.type],
): void {
  const mtime = Math.floor(entry.mtime)
  name.copy(out, at, 0, NAME_LENGTH)
  writeOctal(out, at + 100, 7, entry.mode)
  writeOctal(out, at + 108, 7, entry.uid > MAX_ID ? 0 : entry.uid)
  writeOctal(out, at + 116, 7, entry.gid > MAX_ID ? 0 : entry.gid)
  writeOctal(out, at + 124, 11, entry.size > MAX_SIZE ? 0 : entry.size)
  writeOctal(out, at + 136, 11, mtime < 0 || mtime > MAX_SIZE ? 0 : mtime)
  out[at + 156] = flag
  link.copy(out, at + 157, 0, NAME_LENGTH)
  out.write('ustar\x0000', at + 257, 'latin1')
  writeOctal(out, at + 329, 7, entry.device?.major ?? 0)
  writeOctal(out, at + 337, 7, entry.device?.minor ?? 0)
  out.fill(0x20, at + 148, at + 156)
  let sum = 0
  for (let i = at; i < at + BLOCK; i++) sum += out[i]!
  writeOctal(out, at + 148, 6, sum)
  out[at + 154] = 0
}

function writeOctal(out: Buffer, at: number, digits: number, value: number): void {
  let rest = value
  for (let i = at + digits - 1; i >= at; i--) {
    out[i] = 0x30 + (rest % 8)
    rest = Math.floor(rest / 8)
  }
}
