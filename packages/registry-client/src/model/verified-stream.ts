/**
 * Blob streams that check themselves, recognisable so that the next one in line need not hash the bytes again.
 */
import type { Digest } from './digest.ts'

const verifies: unique symbol = Symbol('verifies')

/** Marks a stream that throws before its end unless its content is exactly the blob of `digest`. */
export function selfVerifying(stream: AsyncIterable<Buffer>, digest: Digest): AsyncIterable<Buffer> {
  return { [Symbol.asyncIterator]: () => stream[Symbol.asyncIterator](), [verifies]: digest } as AsyncIterable<Buffer>
}

/** true when a stream is known to check itself against `digest`. */
export function isSelfVerifying(stream: AsyncIterable<Uint8Array>, digest: Digest): boolean {
  return (stream as { [verifies]?: Digest })[verifies] === digest
}
