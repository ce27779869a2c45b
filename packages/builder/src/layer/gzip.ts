/**
 * gzip of archives: one member (RFC 1952) whose deflate stream is cut into pieces that are compressed side by side, and
 * taken from earlier blobs where these hold the same ones.
 */
import { createHash } from 'node:crypto'
import zlib from 'node:zlib'
import { type KnownPieces, PieceRows, type Pieces, type PieceTable } from '../store/pieces.ts'
import { LONGEST_PIECE, PieceCutter } from './cutter.ts'
import { type DeflateInput, deflatePiece, isPiece, WINDOW } from './deflate.ts'
import { type Run, runsOf } from './incompressible.ts'
import type { OrderedOutput } from './ordered-output.ts'

/** No name, no time; 255: unknown operating system, as Go's compress/gzip writes it. */
const HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255])
const USUAL_LEVEL = 6

export class GzipEncoder {
  readonly chunkSize = 512 * 1024
  /** Most bytes of input per part of the output. */
  static readonly partSize = LONGEST_PIECE
  readonly #output: OrderedOutput
  readonly #level: number
  readonly #pieces: Pieces | undefined
  readonly #cutter = new PieceCutter()
  readonly #free: Buffer[] = []
  /** What stands before the piece at hand, and the piece as far as it is known. */
  #buffer: Buffer
  #start = 0
  #used = 0
  #crc = 0
  #size = 0
  #known: KnownPieces | undefined
  readonly #rows = new PieceRows()

  /** @param pieces where pieces are looked for; undefined: nowhere, and none are listed */
  constructor(output: OrderedOutput, level: number | undefined, pieces: Pieces | undefined) {
    this.#output = output
    this.#level = level ?? USUAL_LEVEL
    this.#pieces = pieces
    this.#buffer = this.#empty()
    // Where the signal has come already, the first write says so.
    output.add(Promise.resolve([HEADER])).catch(() => undefined)
  }

  /** Takes bytes of an archive, of any number; they may be overwritten at once. */
  async write(data: Buffer): Promise<void> {
    this.#crc = zlib.crc32(data, this.#crc)
    this.#size += data.length
    for (let at = 0; at < data.length; ) {
      const wanted = this.#start + this.#cutter.wanted
      const part = Math.min(wanted - this.#used, data.length - at)
      data.copy(this.#buffer, this.#used, at, at + part)
      this.#used += part
      at += part
      if (this.#used < wanted) continue
      const length = this.#cutter.look(this.#buffer, this.#used)
      if (length === undefined) continue
      // Smaller archives are compressed sooner than anything is found.
      await this.#open()
      await this.#cut(length)
    }
  }

  /** Ends the member; the table of its pieces is undefined where it has too few. */
  async end(): Promise<PieceTable | undefined> {
    if (this.#used > this.#start) await this.#cut(this.#used - this.#start)
    // An empty final block, the checksum and the length.
    const trailer = Buffer.from([3, 0, 0, 0, 0, 0, 0, 0, 0, 0])
    trailer.writeUInt32LE(this.#crc, 2)
    trailer.writeUInt32LE(this.#size % 2 ** 32, 6)
    await this.#output.add(Promise.resolve([trailer]))
    await this.#output.end()
    return this.#rows.table(this.#format)
  }

  async close(): Promise<void> {
    await this.#known?.[Symbol.asyncDispose]()
  }

  async #open(): Promise<void> {
    if (this.#pieces === undefined || this.#known !== undefined) return
    this.#known = await this.#pieces.open(this.#format)
  }

  /** What decides the bytes of a piece besides what it is made of. */
  get #format(): string {
    return `gzip 1 level ${this.#level} zlib ${process.versions.zlib} ${process.arch}`
  }

  /** The piece at hand ends after `length` bytes. */
  async #cut(length: number): Promise<void> {
    const buffer = this.#buffer
    const end = this.#start + length
    const input = { data: buffer.subarray(0, end), start: this.#start }
    const runs = runsOf(buffer.subarray(this.#start, end))
    const next = this.#empty()
    const window = Math.max(0, end - WINDOW)
    buffer.copy(next, 0, window, this.#used)
    this.#buffer = next
    this.#start = end - window
    this.#used -= window
    // What is stored is sooner made than found.
    const key = this.#known && runs.some(({ compressible }) => compressible) ? keyOf(input) : undefined
    await this.#output.add(this.#compress(input, runs, key), (parts, offset) => {
      if (key) this.#rows.add(key, parts, offset, length)
      this.#free.push(buffer)
    })
  }

  async #compress(input: DeflateInput, runs: readonly Run[], key: Buffer | undefined): Promise<readonly Buffer[]> {
    const found = key && this.#known?.find(key)
    if (found && (await isPiece(found, input))) return [found]
    return await deflatePiece(input, runs, this.#level)
  }

  #empty(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(WINDOW + LONGEST_PIECE)
  }
}

/** Digest of all that a piece is made of: what stands before it, and what it holds. */
function keyOf({ data, start }: DeflateInput): Buffer {
  return createHash('sha256')
    .update(data)
    .update(start > 0 ? 'continued' : 'first')
    .digest()
}
