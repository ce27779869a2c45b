/**
 * Pieces of a deflate stream (RFC 1951). A piece is a run of whole blocks that ends on a byte boundary and knows what stands
 * before it as its dictionary, so that joined they are one ordinary stream. What cannot be compressed becomes stored blocks.
 */
import { randomBytes } from 'node:crypto'
import zlib from 'node:zlib'
import type { Run } from './incompressible.ts'

/** How far back a deflate stream refers. */
export const WINDOW = 32 * 1024

/** A piece and what stands before it, in one buffer. */
export interface DeflateInput {
  /** What stands before it, at most {@link WINDOW} bytes, and the piece. */
  readonly data: Buffer
  /** Where the piece begins in it. */
  readonly start: number
}

/** The level that is used where no other is asked for, and the one that takes its place where that makes little difference. */
const [USUAL, FAST] = [6, 5]
const SAMPLE = 16 * 1024
/** Pieces up to this size are not sampled: that costs more than it may save. */
const SMALLEST_SAMPLED = 4 * SAMPLE
/** How much larger a piece may get by the lower level. */
const TOLERANCE = 1.015
/** What is compressed faster than another thread can be asked to. */
const SMALL = 8 * 1024
const LONGEST_STORED = 0xffff

/** Compresses a piece, given in its {@link runsOf runs}. Equal input gives equal output, which may refer to `data`. */
export async function deflatePiece(input: DeflateInput, runs: readonly Run[], level: number): Promise<Buffer[]> {
  const { data, start } = input
  const chosen = level === USUAL ? await levelFor(input, runs) : level
  const parts = await Promise.all(
    runs.map(async (run) => {
      const [from, to] = [start + run.start, start + run.end]
      const part = data.subarray(from, to)
      if (!run.compressible || level === 0) return stored(part)
      return [await deflate(part, chosen, data.subarray(Math.max(0, from - WINDOW), from))]
    }),
  )
  return parts.flat()
}

/** The lower level where a sample says that the piece, with what is stored of it, gets hardly larger. */
async function levelFor({ data, start }: DeflateInput, runs: readonly Run[]): Promise<number> {
  const sampled = runs.find((run) => run.compressible && run.end - run.start >= SMALLEST_SAMPLED)
  if (sampled === undefined) return USUAL
  const from = start + ((sampled.start + sampled.end - SAMPLE) >> 1)
  const sample = data.subarray(from, from + SAMPLE)
  const [usual, fast] = await Promise.all([USUAL, FAST].map(async (level) => (await deflate(sample, level)).length))
  let [compressed, kept] = [0, 0]
  for (const { start, end, compressible } of runs) {
    if (compressible) compressed += (end - start) / SAMPLE
    else kept += end - start
  }
  return fast! * compressed + kept <= TOLERANCE * (usual! * compressed + kept) ? FAST : USUAL
}

function deflate(data: Buffer, level: number, dictionary?: Buffer): Promise<Buffer> {
  const options = {
    level,
    finishFlush: zlib.constants.Z_SYNC_FLUSH,
    // Room for what most output needs, so that one trip to the thread pool is enough and little is left to collect.
    chunkSize: data.length > 64 * 1024 ? 256 * 1024 : 16 * 1024,
    ...(dictionary && dictionary.length > 0 && { dictionary }),
  }
  if (data.length <= SMALL) return Promise.resolve(zlib.deflateRawSync(data, options))
  return new Promise((resolve, reject) => {
    zlib.deflateRaw(data, options, (error, out) => (error ? reject(error) : resolve(out)))
  })
}

function stored(data: Buffer): Buffer[] {
  const out: Buffer[] = []
  for (let at = 0; at < data.length; at += LONGEST_STORED) {
    const part = data.subarray(at, at + LONGEST_STORED)
    const header = Buffer.alloc(5)
    header.writeUInt16LE(part.length, 1)
    header.writeUInt16LE(part.length ^ 0xffff, 3)
    out.push(header, part)
  }
  return out
}

/**
 * Whether `compressed`, of whatever origin, is a piece that holds exactly this and can be joined with others. That is found
 * by decompressing it with a piece behind it that nobody can have foreseen: it comes out as it went in only where the one
 * before ends on a byte boundary, between blocks, and without an end of the stream.
 */
export function isPiece(compressed: Buffer, { data, start }: DeflateInput): Promise<boolean> {
  const content = randomBytes(32)
  const bytes = zlib.deflateRawSync(content, { strategy: zlib.constants.Z_FIXED, memLevel: 1, windowBits: 9 })
  const length = data.length - start
  const input = Buffer.concat([compressed, bytes])
  const options = {
    info: true as const,
    chunkSize: length + content.length + 1024,
    maxOutputLength: length + content.length + 1024,
    ...(start > 0 && { dictionary: data.subarray(0, start) }),
  }
  return new Promise((resolve) => {
    zlib.inflateRaw(input, options, (error, result) => {
      if (error) return resolve(false)
      // With `info`, which the types do not know here.
      const { buffer, engine } = result as unknown as { buffer: Buffer; engine: zlib.InflateRaw }
      resolve(
        engine.bytesWritten === input.length &&
          buffer.length === length + content.length &&
          buffer.compare(data, start, data.length, 0, length) === 0 &&
          buffer.compare(content, 0, content.length, length) === 0,
      )
    })
  })
}
