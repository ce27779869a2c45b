/**
 * Reads tar archives as a stream: ustar, pax, GNU and old V7 headers. Everything comes from outside and is checked; what is
 * not understood is refused, never guessed.
 */
import { decodeName } from '../util/raw-path.ts'
import { ByteSource, ENDED } from './byte-source.ts'
import { layerErrors } from './errors.ts'
import { BLOCK, paddingOf, type TarEntry, type TarType } from './tar-header.ts'
import { checkId, checkSize, headerNumber, paxInteger, paxTime } from './tar-numbers.ts'

/** Most bytes of a pax header or long name. */
const MAX_EXTENSION = 1024 * 1024

const TYPES: ReadonlyMap<string, TarType> = new Map<string, TarType>([
  ['\0', 'file'],
  ['0', 'file'],
  ['7', 'file'],
  ['1', 'hardlink'],
  ['2', 'symlink'],
  ['3', 'char'],
  ['4', 'block'],
  ['5', 'directory'],
  ['6', 'fifo'],
])

/** What extension headers say about the next entry. */
interface Extensions {
  path?: Buffer | undefined
  linkpath?: Buffer | undefined
  readonly pax: Map<string, Buffer>
}

/** Iterate with {@link next}; read each entry's content with {@link read} or leave it. */
export class TarReader {
  readonly #source: ByteSource
  /** Content of the current entry that was not read yet, and what follows it up to the next header. */
  #left = 0
  #padding = 0

  /** @param chunks the uncompressed archive; a chunk may be reused by its maker once the next one is asked for */
  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#source = new ByteSource(chunks)
  }

  /** The next entry, undefined at the end. @throws TAR_INVALID, TAR_TRUNCATED, TAR_ENTRY_UNSUPPORTED */
  async next(): Promise<TarEntry | undefined> {
    await this.#skip()
    const extensions: Extensions = { pax: new Map() }
    for (let extended = false; ; extended = true) {
      const block = this.#source.takeNow(BLOCK) ?? (await this.#source.take(BLOCK, truncated))
      if (block === ENDED || isZero(block)) {
        if (extended) throw truncated()
        return undefined
      }
      const flag = checkedFlag(block)
      if (!'xgLK'.includes(flag)) return this.#entry(block, flag, extensions)
      const body = await this.#extension(block)
      if (flag === 'x') readPax(body, extensions.pax)
      else if (flag === 'L') extensions.path = untilNul(body)
      else if (flag === 'K') extensions.linkpath = untilNul(body)
      // Global records (g) hold comments of archivers such as git; nothing that builders act on.
    }
  }

  /** The next piece of the current entry's content, valid until the next call; undefined at its end. */
  async read(): Promise<Buffer | undefined> {
    if (this.#left === 0) return undefined
    const part = this.#source.takeNow(this.#left) ?? (await this.#source.some(this.#left))
    if (part === ENDED) throw truncated()
    this.#left -= part.length
    return part
  }

  /** Reads what follows the end mark, so that everything before it in the stream is checked to its end. */
  async drain(): Promise<void> {
    while ((await this.#source.some(Number.MAX_SAFE_INTEGER)) !== ENDED);
  }

  /** Leaves the archive before its end. */
  close(): Promise<void> {
    return this.#source.close()
  }

  async #skip(): Promise<void> {
    for (let rest = this.#left + this.#padding; rest > 0; ) {
      const part = this.#source.takeNow(rest) ?? (await this.#source.some(rest))
      if (part === ENDED) throw truncated()
      rest -= part.length
    }
    this.#left = 0
    this.#padding = 0
  }

  async #extension(block: Buffer): Promise<Buffer> {
    const size = checkSize(headerNumber(block.subarray(124, 136), 'size'))
    if (size > MAX_EXTENSION) throw layerErrors.tarInvalid([`extended header of ${size} bytes`])
    const body = await this.#source.take(size + paddingOf(size), truncated)
    if (body === ENDED) throw truncated()
    return Buffer.from(body.subarray(0, size))
  }

  #entry(block: Buffer, flag: string, { path, linkpath, pax }: Extensions): TarEntry {
    const rawPath = pax.get('path') ?? path ?? headerPath(block)
    const name = decodeName(rawPath)
    for (const key of pax.keys()) {
      if (key.startsWith('GNU.sparse.')) throw layerErrors.entryUnsupported([name, 'sparse files are not supported'])
    }
    if (flag === 'S') throw layerErrors.entryUnsupported([name, 'sparse files are not supported'])
    const declared = TYPES.get(flag)
    if (!declared) throw layerErrors.entryUnsupported([name, `unknown entry type ${JSON.stringify(flag)}`])
    // V7 archives have no type for directories, only a slash.
    const type = declared === 'file' && flag !== '7' && name.endsWith('/') ? 'directory' : declared
    const size = sizeOf(block, pax)
    const link = linkpath ?? untilNul(block.subarray(157, 257))
    const entry: TarEntry = {
      path: type === 'directory' ? name.replace(/\/+$/, '') : name,
      type,
      mode: headerNumber(block.subarray(100, 108), 'mode') & 0o7777,
      uid: idOf(block.subarray(108, 116), pax.get('uid'), 'uid'),
      gid: idOf(block.subarray(116, 124), pax.get('gid'), 'gid'),
      // Other types have no content, whatever the header says.
      size: type === 'file' ? size : 0,
      mtime: timeOf(block, pax),
      linkname: type === 'symlink' || type === 'hardlink' ? decodeName(pax.get('linkpath') ?? link) : undefined,
      device: type === 'char' || type === 'block' ? deviceOf(block) : undefined,
      xattrs: xattrsOf(pax),
    }
    this.#left = entry.size
    this.#padding = paddingOf(entry.size)
    return entry
  }
}

const truncated = () => layerErrors.tarTruncated([])

function isZero(block: Buffer): boolean {
  for (let i = 0; i < BLOCK; i++) if (block[i] !== 0) return false
  return true
}

/** The type flag of a header whose checksum is right: the sum of its bytes, taken as unsigned or, by old programs, signed. */
function checkedFlag(block: Buffer): string {
  let unsigned = 8 * 0x20
  let negative = 0
  for (let i = 0; i < BLOCK; i++) {
    if (i === 148) i = 156
    const byte = block[i]!
    unsigned += byte
    if (byte >= 0x80) negative += 256
  }
  const sum = headerNumber(block.subarray(148, 156), 'checksum')
  if (sum !== unsigned && sum !== unsigned - negative) throw layerErrors.tarInvalid(['bad header checksum'])
  return String.fromCharCode(block[156]!)
}

function headerPath(block: Buffer): Buffer {
  const name = untilNul(block.subarray(0, 100))
  // GNU headers have other fields where ustar has the prefix.
  const isUstar = block.toString('latin1', 257, 263) === 'ustar\0'
  const prefix = isUstar ? untilNul(block.subarray(345, 500)) : Buffer.alloc(0)
  return prefix.length === 0 ? Buffer.from(name) : Buffer.concat([prefix, Buffer.from('/'), name])
}

function untilNul(field: Buffer): Buffer {
  const end = field.indexOf(0)
  return end < 0 ? field : field.subarray(0, end)
}

function sizeOf(block: Buffer, pax: Map<string, Buffer>): number {
  const record = pax.get('size')
  return checkSize(
    record ? paxInteger(record.toString('latin1'), 'size') : headerNumber(block.subarray(124, 136), 'size'),
  )
}

function idOf(field: Buffer, record: Buffer | undefined, what: string): number {
  return checkId(record ? paxInteger(record.toString('latin1'), what) : headerNumber(field, what), what)
}

function timeOf(block: Buffer, pax: Map<string, Buffer>): number {
  const record = pax.get('mtime')
  return record ? paxTime(record.toString('latin1')) : headerNumber(block.subarray(136, 148), 'mtime')
}

/** Linux has 12 bits for the major and 20 for the minor number. */
function deviceOf(block: Buffer): { major: number; minor: number } {
  const number = (at: number, most: number) => {
    const value = headerNumber(block.subarray(at, at + 8), 'device number')
    if (value < 0 || value > most) throw layerErrors.tarInvalid([`bad device number ${value}`])
    return value
  }
  return { major: number(329, 0xfff), minor: number(337, 0xfffff) }
}

const XATTR = 'SCHILY.xattr.'

function xattrsOf(pax: Map<string, Buffer>): TarEntry['xattrs'] {
  if (pax.size === 0) return undefined
  const found = [...pax]
    .filter(([key]) => key.startsWith(XATTR))
    .map(([key, value]) => [key.slice(XATTR.length), value] as const)
  return found.length === 0 ? undefined : found.sort(([a], [b]) => (a < b ? -1 : 1))
}

/** Records of a pax header: `<length> <key>=<value>\n`; an empty value takes the record away. */
function readPax(body: Buffer, records: Map<string, Buffer>): void {
  for (let at = 0; at < body.length; ) {
    const blank = body.indexOf(0x20, at)
    const digits = blank < 0 ? '' : body.toString('latin1', at, blank)
    const length = /^[0-9]{1,7}$/.test(digits) ? Number(digits) : 0
    const end = at + length
    if (length === 0 || end > body.length || end <= blank || body[end - 1] !== 0x0a)
      throw layerErrors.tarInvalid(['bad pax record'])
    const equals = body.indexOf(0x3d, blank)
    if (equals < 0 || equals >= end || equals === blank + 1) throw layerErrors.tarInvalid(['bad pax record'])
    const key = body.toString('utf8', blank + 1, equals)
    const value = body.subarray(equals + 1, end - 1)
    if ((key === 'path' || key === 'linkpath') && value.includes(0)) throw layerErrors.tarInvalid([`NUL in ${key}`])
    if (value.length === 0) records.delete(key)
    else records.set(key, value)
    at = end
  }
}
