/**
 * Says where an archive is cut into pieces that are compressed on their own: at entries, as a hash of their names says, so
 * that a file which is changed, added or removed moves no cut but those around it. Big files are cut inside as well,
 * counted from where their content begins. Only the bytes of the archive decide, never how they come in.
 *
 * Cuts are part of the format: they decide the bytes of a blob.
 */
import { BLOCK } from './tar-header.ts'

/** Least bytes of a piece that a name may end. */
const LEAST = 128 * 1024
/** Bytes from one name that ends a piece to the next, on average. */
const APART = 256 * 1024
/** Pieces of a big file. */
const STRIDE = 512 * 1024
/** Most bytes of a piece. */
export const LONGEST_PIECE = 1024 * 1024

export class PieceCutter {
  /** Where the piece at hand begins. Positions are bytes from the start of the archive. */
  #start = 0
  /** Where the next header is expected. */
  #header = 0
  /** Where the content of a big file is cut next, before {@link #header}. */
  #stride = Number.POSITIVE_INFINITY

  /** How many bytes of the piece at hand must be known to say more. */
  get wanted(): number {
    return Math.min(this.#stride, this.#header + BLOCK, this.#start + LONGEST_PIECE) - this.#start
  }

  /**
   * Looks at what is wanted.
   *
   * @param data has the piece at hand, {@link wanted} bytes of it, up to `end`
   * @returns how many bytes of it are a piece; undefined: it goes on
   */
  look(data: Uint8Array, end: number): number | undefined {
    const known = this.wanted
    const at = this.#start + known
    let length: number | undefined
    if (at === this.#stride) length = this.#cutContent(at)
    else if (at === this.#header + BLOCK) length = this.#cutEntry(data, end - BLOCK, known - BLOCK)
    if (known === LONGEST_PIECE) length ??= known
    if (length !== undefined) this.#start += length
    return length
  }

  #cutContent(at: number): number {
    this.#stride = at + STRIDE < this.#header ? at + STRIDE : Number.POSITIVE_INFINITY
    return at - this.#start
  }

  /** @param before how many bytes of the piece stand before the header in `data` at `place` */
  #cutEntry(data: Uint8Array, place: number, before: number): number | undefined {
    const content = this.#header + BLOCK
    if (!isHeader(data, place)) {
      // Padding, or no archive.
      this.#header = content
      return undefined
    }
    const size = Math.ceil(sizeOf(data, place) / BLOCK) * BLOCK
    this.#header = content + size
    this.#stride = size > STRIDE ? content + STRIDE : Number.POSITIVE_INFINITY
    if (before < LEAST) return undefined
    // The more bytes an entry has, the likelier it begins a piece: as many cuts in few big files as in many small ones.
    const chosen = hashOfName(data, place) / 2 ** 32 < (BLOCK + size) / APART
    const overflows = before + BLOCK + Math.min(size, STRIDE) > LONGEST_PIECE
    return chosen || overflows ? before : undefined
  }
}

function isHeader(data: Uint8Array, at: number): boolean {
  for (let i = 0; i < MAGIC.length; i++) if (data[at + 257 + i] !== MAGIC[i]) return false
  return true
}

const MAGIC = Buffer.from('ustar')

/** Of a header; 0 where it is not written in octal digits. */
function sizeOf(data: Uint8Array, at: number): number {
  let size = 0
  for (let i = at + 124; i < at + 135; i++) {
    const digit = data[i]! - 0x30
    if (digit < 0 || digit > 7) return 0
    size = size * 8 + digit
  }
  return size
}

/** FNV-1a with a last mixing step, since few bytes of names differ. */
function hashOfName(data: Uint8Array, at: number): number {
  let hash = 0x811c9dc5
  for (let i = at; i < at + NAME_LENGTH && data[i] !== 0; i++) hash = Math.imul(hash ^ data[i]!, 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

const NAME_LENGTH = 100
