/** Uploads of content that does not fit into memory, in parts. */
import type { Slots } from './object-store.ts'

/** Bytes of one part, where the service allows enough parts for that. */
const PART = 8 << 20

/** How a service takes one object. */
export interface PartedUpload {
  /** All of a small object. */
  whole(bytes: Buffer): Promise<void>
  /** Called before the first part. */
  begin?(): Promise<void>
  /** One part of several, in any order and several at a time. @param index from 0 */
  part(bytes: Buffer, index: number, offset: number): Promise<void>
  /** Called after the last part: the object is there. */
  finish(parts: number): Promise<void>
  /** Called in place of it when something failed. */
  abandon?(): Promise<void>
}

/**
 * Sends content of a known size. One part is in memory for each slot that is taken; uploads share slots, so that one big
 * blob is sent as fast as several small ones.
 *
 * @param chunks exactly `size` bytes, or an error before the end: then nothing is written
 */
export async function uploadInParts(
  upload: PartedUpload,
  size: number,
  chunks: AsyncIterable<Uint8Array>,
  { slots, maxParts, signal }: { readonly slots: Slots; readonly maxParts: number; readonly signal: AbortSignal },
): Promise<void> {
  const partSize = Math.max(PART, Math.ceil(size / maxParts))
  const failed = new AbortController()
  const either = AbortSignal.any([signal, failed.signal])
  const several = size > partSize
  const sending: Promise<void>[] = []
  let open: { readonly bytes: Buffer; readonly release: () => void; filled: number } | undefined
  let taken = 0
  let begun = false
  const part = async () => {
    const release = await slots.take(either)
    return { bytes: Buffer.allocUnsafe(Math.min(partSize, size - taken)), release, filled: 0 }
  }
  const flush = ({ bytes, release }: NonNullable<typeof open>) => {
    const index = sending.length
    const sent = upload.part(bytes, index, index * partSize)
    sending.push(sent.catch((error) => failed.abort(error)).finally(release))
  }
  try {
    if (several) {
      begun = true
      await upload.begin?.()
    }
    for await (const chunk of chunks) {
      for (let at = 0; at < chunk.length; ) {
        either.throwIfAborted()
        open ??= await part()
        const piece = chunk.subarray(at, at + open.bytes.length - open.filled)
        if (piece.length === 0) throw new RangeError('more content than was said')
        open.bytes.set(piece, open.filled)
        open.filled += piece.length
        at += piece.length
        taken += piece.length
        if (several && open.filled === open.bytes.length) {
          flush(open)
          open = undefined
        }
      }
    }
    if (taken !== size) throw new RangeError('less content than was said')
    if (several) {
      await Promise.all(sending)
      either.throwIfAborted()
      await upload.finish(sending.length)
    } else await upload.whole(open?.bytes ?? Buffer.alloc(0))
  } catch (error) {
    failed.abort(error)
    await Promise.all(sending)
    if (begun) await upload.abandon?.().catch(() => {})
    signal.throwIfAborted()
    throw error
  } finally {
    open?.release()
  }
}
