/** Pipes of a process: output handed on chunk by chunk with backpressure, input fed from a stream. */
import net from 'node:net'
import type { Readable, Writable } from 'node:stream'

/**
 * Reads a pipe to its end; the descriptor is closed. The next chunk is read when `use` has settled, so that a slow
 * reader slows the process down and nothing piles up.
 */
export async function drain(fd: number, use: (chunk: Buffer) => void | Promise<void>): Promise<void> {
  const socket = new net.Socket({ fd, readable: true, writable: false })
  for await (const chunk of socket) await use(chunk as Buffer)
}

/** Copies a stream into a pipe and closes it at the stream's end. A process that does not read is no error. */
export function feed(target: number | Writable, input: Readable): { destroy(): void } {
  const pipe = typeof target === 'number' ? new net.Socket({ fd: target, readable: false, writable: true }) : target
  // EPIPE: the process has closed its input.
  pipe.on('error', () => input.unpipe(pipe))
  input.on('error', () => pipe.destroy())
  input.pipe(pipe)
  return {
    destroy: () => {
      input.unpipe(pipe)
      pipe.destroy()
    },
  }
}
