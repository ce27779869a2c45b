/**
 * Blobs by digest. Reads and writes are verified; writes are atomic, durable and idempotent.
 */
import type { Readable } from 'node:stream'
import type { Descriptor } from '@tsbuild/registry-client'

export interface ContentStore {
  has(digest: string): Promise<boolean>
  /** Size in bytes, undefined when absent. */
  size(digest: string): Promise<number | undefined>
  /** A verified stream: it errors at its end when the content does not match the digest (and the blob is quarantined). */
  open(digest: string, signal?: AbortSignal): Readable
  /** The whole blob, verified; refused above `limit` bytes (default 4 MiB). */
  read(digest: string, limit?: number): Promise<Buffer>
  /** Stores a stream; with `expected` its digest and size must match or nothing is stored. */
  put(data: AsyncIterable<Uint8Array>, expected?: { digest: string; size?: number }, signal?: AbortSignal): Promise<Pick<Descriptor, 'digest' | 'size'>>
  /** Takes over a finished temporary file (same file system) whose digest and size the caller has computed while writing. */
  adopt(path: string, blob: Pick<Descriptor, 'digest' | 'size'>): Promise<void>
  /** Absolute path of a stored blob, for link or clone. The file must not be changed. */
  path(digest: string): string
  /** A new private directory for files on their way into the store; removed when disposed. */
  temporary(prefix: string): Promise<{ path: string } & AsyncDisposable>
}
