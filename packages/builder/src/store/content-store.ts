/**
 * Blobs by digest. Reads and writes are verified; writes are atomic, durable and idempotent.
 *
 * The files lie as an OCI image layout has them (`blobs/<algorithm>/<hex>`), so other tools can read the store.
 */
import type { Readable } from 'node:stream'
import type { Digest } from '@tsbuild/registry-client'

/** A blob that is stored: what a descriptor says of it besides its type. */
export interface BlobInfo {
  readonly digest: Digest
  /** Bytes. */
  readonly size: number
}

/** What content must be to be stored. */
export interface ExpectedBlob {
  readonly digest: string
  readonly size?: number | undefined
}

export interface ContentStore {
  has(digest: string): Promise<boolean>
  /** Size in bytes, undefined when absent. */
  size(digest: string): Promise<number | undefined>
  /** A verified stream: it errors at its end when the content does not match the digest (and the blob is quarantined). */
  open(digest: string, signal?: AbortSignal): Readable
  /** Reads the whole blob to see whether it is there and as it should be; a damaged one is put aside. */
  verify(digest: string, signal?: AbortSignal): Promise<boolean>
  /** The whole blob, verified; refused above `limit` bytes (default 4 MiB). */
  read(digest: string, limit?: number): Promise<Buffer>
  /** Stores a stream, or bytes; with `expected` its digest and size must match or nothing is stored. */
  put(data: AsyncIterable<Uint8Array> | Uint8Array, expected?: ExpectedBlob, signal?: AbortSignal): Promise<BlobInfo>
  /** Takes over a finished temporary file (same file system) whose digest and size the caller has computed while writing. */
  adopt(path: string, blob: { readonly digest: string; readonly size: number }): Promise<void>
  /** Absolute path of a stored blob, for link or clone. The file must not be changed. */
  path(digest: string): string
  /** A new private directory; removed when disposed. */
  temporary(prefix: string): Promise<TemporaryPath>
  /** A path for one file on its way into the store, where nothing is yet; what is there when disposed is removed. */
  temporaryFile(prefix: string): TemporaryPath
}

/** A path whose content is removed when disposed, or by the next start when its process died. */
export interface TemporaryPath extends AsyncDisposable {
  readonly path: string
}
