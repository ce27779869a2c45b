/**
 * Blob streams that check themselves, recognisable so that the next one in line need not hash the bytes again.
 */
import type { Digest } from './digest.ts'

const verifies: unique symbol = Symbol('verifies')

/** Marks a stream that throws before its end unless its content is exactly the blob of `digest`. */
export function selfVerifying<T extends Uint8Array>(stream: AsyncIterable<T>, digest: Digest): AsyncIterable<T> {
  return { [Symbol.asyncIterator]: () => stream[Symbol.asyncIterator](), [verifies]: digest } as AsyncIterable<T>
}

/** true when a stream is known to check itself against `digest`. */
export function isSelfVerifying(stream: AsyncIterable<Uint8Array>, digest: Digest): boolean {
  return (stream as { [verifies]?: Digest })[verifies] === digest
}

/**
 * A stream of which is told how many bytes of it are done with: a chunk is when the next one is asked for. One that checks
 * itself stays recognisable.
 */
export function counted<T extends Uint8Array>(
  stream: AsyncIterable<T>,
  digest: Digest,
  report: (bytes: number) => void,
): AsyncIterable<T> {
  async function* passing(): AsyncGenerator<T> {
    let sum = 0
    for await (const chunk of stream) {
      const { length } = chunk
      yield chunk
      sum += length
      report(sum)
    }
  }
  const passed = { [Symbol.asyncIterator]: passing }
  return isSelfVerifying(stream, digest) ? selfVerifying(passed, digest) : passed
}
