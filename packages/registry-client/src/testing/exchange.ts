/**
 * One request to the in-memory registry and its answer, as plain data.
 */
import type { RegistryStore } from './store.ts'

/** Parts of the specification that registries may leave out. */
export interface Features {
  /** The referrers API and `OCI-Subject`. */
  readonly referrers: boolean
  /** Mounts from other repositories. */
  readonly mount: boolean
  /** Uploads in chunks. */
  readonly chunks: boolean
  /** `?tag=` on manifests. */
  readonly multiTag: boolean
  /** DELETE of anything. */
  readonly deletes: boolean
  /** HEAD of manifests; else 405. */
  readonly head: boolean
  /** Range on blobs. */
  readonly range: boolean
  /** Smallest chunk; announced as `OCI-Chunk-Min-Length`. */
  readonly minimumChunk?: number
}

export interface Exchange {
  readonly method: string
  readonly url: URL
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Buffer
  readonly store: RegistryStore
  readonly features: Features
}

export interface Reply {
  readonly status: number
  readonly headers: Record<string, string>
  readonly body?: Buffer
}

/** A refusal in the form of the specification ("Error Codes"). */
export function fail(status: number, code: string, message: string): Reply {
  const body = Buffer.from(JSON.stringify({ errors: [{ code, message }] }))
  return { status, headers: { 'content-type': 'application/json' }, body }
}

/** An answer of JSON. */
export function json(status: number, value: unknown, headers: Record<string, string> = {}): Reply {
  return {
    status,
    headers: { 'content-type': 'application/json', ...headers },
    body: Buffer.from(JSON.stringify(value)),
  }
}
