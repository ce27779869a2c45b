/**
 * What a command may touch of the process: its streams, its environment and its directory. Tests pass their own.
 */
import type { Readable, Writable } from 'node:stream'

/** A stream that may be a terminal. */
export type Output = Writable & { readonly isTTY?: boolean; readonly columns?: number; readonly rows?: number }

/** A stream that may be a terminal whose echo can be switched off. */
export type Input = Readable & { readonly isTTY?: boolean; setRawMode?(mode: boolean): unknown }

/** Environment variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>

export interface Io {
  readonly stdin: Input
  /** Results only: digests, JSON, archives. */
  readonly stdout: Output
  /** Everything that is meant for people. */
  readonly stderr: Output
  readonly env: Environment
  readonly cwd: string
  /** Starts this program with other arguments, which runs on when this process has ended; absent where there is none. */
  startAlone?(args: readonly string[]): void
}

/** Codes of errors that say that nobody reads any more. */
const GONE: ReadonlySet<unknown> = new Set(['EPIPE', 'ERR_STREAM_DESTROYED'])

/** Writes text and waits until the stream has taken it; a reader that went away is no error. */
export function write(stream: Writable, text: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(text, (error) => {
      if (error && !GONE.has((error as NodeJS.ErrnoException).code)) reject(error)
      else resolve()
    })
  })
}
