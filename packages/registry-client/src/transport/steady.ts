/**
 * A guard against bodies that drip: not silent, but never done.
 */
import { IdleTimeoutError } from './http.ts'

/** Slower than this over a whole window is taken for a fault. Bytes per second. */
const slowest = 256

/**
 * Passes chunks on and fails with {@link IdleTimeoutError} when, over `windowMs` of waiting, fewer bytes came than any
 * working connection brings. Time that the consumer takes does not count.
 */
export async function* steady(chunks: AsyncIterable<Buffer>, windowMs: number): AsyncGenerator<Buffer> {
  const enough = (slowest * windowMs) / 1000
  let waited = 0
  let bytes = 0
  let began = performance.now()
  for await (const chunk of chunks) {
    waited += performance.now() - began
    bytes += chunk.length
    if (waited >= windowMs) {
      if (bytes < enough) throw new IdleTimeoutError(windowMs)
      waited = 0
      bytes = 0
    }
    yield chunk
    began = performance.now()
  }
}
