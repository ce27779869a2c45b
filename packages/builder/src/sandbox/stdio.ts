/** What a process reads and prints: output handed on chunk by chunk with backpressure, input fed from a stream. */
import fs from 'node:fs'
import net from 'node:net'
import type { Readable } from 'node:stream'
import { promisify } from 'node:util'
import { hasCode } from '../util/has-code.ts'
import type { ProcessIO, ProcessTerminal } from './executor.ts'
import { pipe } from './native/descriptors.ts'
import { openTerminal, setTerminalSize } from './native/terminal.ts'

/** Descriptors 0 to 2 of a process that is about to be started. */
export interface ProcessStdio {
  /** The process's ends, of which some may be the same; the caller closes them once the process has them. */
  readonly given: readonly [stdin: number, stdout: number, stderr: number]
  /** Hands input and output on until the process, and whoever has inherited its output, has closed it. */
  transfer(): Promise<void>
  /** Ends the input. Output that nobody has taken is lost. */
  close(): Promise<void>
}

/** Opens pipes, or a terminal, as `io` says. */
export function openStdio(io: ProcessIO): ProcessStdio {
  return io.terminal === undefined ? openPipes(io) : openTyped(io, io.terminal)
}

function openPipes(io: ProcessIO): ProcessStdio {
  const [stdin, stdinWriter] = io.stdin === undefined ? [fs.openSync('/dev/null', 'r')] : pipe()
  const [stdout, stdoutWriter] = pipe()
  const [stderr, stderrWriter] = pipe()
  let begun = false
  let input: { destroy(): void } | undefined
  return {
    given: [stdin, stdoutWriter, stderrWriter],
    async transfer() {
      begun = true
      if (stdinWriter !== undefined && io.stdin !== undefined) input = feed(stdinWriter, io.stdin)
      await Promise.all([
        drain(stdout, (chunk) => io.onOutput('stdout', chunk)),
        drain(stderr, (chunk) => io.onOutput('stderr', chunk)),
      ])
    },
    async close() {
      input?.destroy()
      if (!begun) for (const fd of [stdout, stderr, stdinWriter]) if (fd !== undefined) fs.closeSync(fd)
      begun = true
    },
  }
}

const read = promisify(fs.read)
const write = promisify(fs.write)
/** What the key Ctrl-D sends: the end of the input. */
const END_OF_INPUT = Buffer.from([4])
const CHUNK = 65536

function openTyped(io: ProcessIO, terminal: ProcessTerminal): ProcessStdio {
  const [ours, theirs] = openTerminal(terminal.size)
  const input = io.stdin
  let open = true
  let typed = Promise.resolve()
  const type = (data: Buffer): Promise<void> => {
    typed = typed.then(async () => {
      try {
        for (let done = 0; open && done < data.length; ) done += (await write(ours, data, done)).bytesWritten
      } catch {
        // The last process that had the terminal is gone.
      }
    })
    return typed
  }
  const onData = (data: Buffer | string): void => {
    input?.pause()
    void type(Buffer.from(data as string)).then(() => input?.resume())
  }
  const onEnd = (): void => void type(END_OF_INPUT)
  terminal.onResize((size) => {
    if (open) setTerminalSize(ours, size)
  })
  return {
    given: [theirs, theirs, theirs],
    async transfer() {
      input?.on('data', onData).on('end', onEnd)
      for (let chunk = await screen(ours); chunk !== undefined; chunk = await screen(ours))
        await io.onOutput('stdout', chunk)
    },
    async close() {
      if (!open) return
      open = false
      input?.off('data', onData).off('end', onEnd)
      await typed
      fs.closeSync(ours)
    },
  }
}

/** The next that is shown on a terminal; undefined once nobody has it open any more. */
async function screen(fd: number): Promise<Buffer | undefined> {
  try {
    const { bytesRead, buffer } = await read(fd, { buffer: Buffer.alloc(CHUNK) })
    return bytesRead === 0 ? undefined : buffer.subarray(0, bytesRead)
  } catch (error) {
    if (hasCode(error, 'EIO')) return undefined
    throw error
  }
}

/**
 * Reads a pipe to its end; the descriptor is closed. The next chunk is read when `use` has settled, so that a slow
 * reader slows the process down and nothing piles up.
 */
export async function drain(fd: number, use: (chunk: Buffer) => void | Promise<void>): Promise<void> {
  const socket = new net.Socket({ fd, readable: true, writable: false })
  for await (const chunk of socket) await use(chunk as Buffer)
}

/** Copies a stream into a pipe and closes it at the stream's end. A process that does not read is no error. */
function feed(target: number, input: Readable): { destroy(): void } {
  const pipe = new net.Socket({ fd: target, readable: false, writable: true })
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
