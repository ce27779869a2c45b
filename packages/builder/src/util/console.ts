/** What a process that people talk to is connected to. */
import type { Readable, Writable } from 'node:stream'

/** The caller's side of a process. */
export interface Console {
  /** undefined: the process reads nothing. A terminal is switched to raw mode while the process runs. */
  readonly stdin?: (Readable & { readonly isTTY?: boolean; setRawMode?(mode: boolean): unknown }) | undefined
  /** A terminal's size is passed on, and its changes. */
  readonly stdout: Writable & { readonly columns?: number; readonly rows?: number }
  /** A process on a terminal has only one output. */
  readonly stderr: Writable
  /** The process gets a terminal. */
  readonly tty: boolean
}
