/** How long is waited for what. */

/** Times in milliseconds. */
export interface Timeouts {
  /** To establish a connection. Default 10,000. */
  readonly connectMs: number
  /** Silence before and within answers. Default 30,000. */
  readonly idleMs: number
  /** For the whole of a manifest, list, token or other document. Default 120,000. */
  readonly documentMs: number
  /** For the answer to the last request of an upload, when registries move and check the blob. Default 300,000. */
  readonly commitMs: number
}

export const defaultTimeouts: Timeouts = { connectMs: 10_000, idleMs: 30_000, documentMs: 120_000, commitMs: 300_000 }
