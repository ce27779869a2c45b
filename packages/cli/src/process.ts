/** The process around a command line: its streams, its signals, its end. */
import { spawn } from 'node:child_process'
import { constants, setPriority } from 'node:os'
import { fail, main } from './cli.ts'
import type { Io } from './io.ts'
import { trapSignals } from './signals.ts'

/** Runs the command line of this process and ends it with its exit code. */
export async function runCommandLine(): Promise<never> {
  const { stdin, stdout, stderr, env } = process
  using trap = trapSignals()
  // Whoever read the output went away: nothing that the command still does is wanted.
  for (const stream of [stdout, stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error
      trap.abort(error)
    })
  }
  blockOn(stderr)
  const argv = process.argv.slice(2)
  const debug = argv.includes('-D') || argv.includes('--debug')
  const io: Io = { stdin, stdout, stderr, env, cwd: process.cwd(), startAlone }
  // Node's own warnings about itself are for us, not for users.
  if (!debug) process.removeAllListeners('warning')
  process.on('uncaughtException', (error) => {
    void fail(error, { io, trap, debug }).then((code) => process.exit(code))
  })
  // A promise that never settles lets Node run out of work and end, as if all were well.
  process.once('beforeExit', () => {
    void fail(new Error('the command stopped without an end'), { io, trap, debug }).then((code) => process.exit(code))
  })
  process.exit(await main(argv, io, trap))
}

/** Of low priority, and holding nothing of this process: neither its streams nor its directory. */
function startAlone(args: readonly string[]): void {
  const child = spawn(process.execPath, [process.argv[1]!, ...args], { cwd: '/', detached: true, stdio: 'ignore' })
  child.on('error', () => {})
  child.unref()
  try {
    if (child.pid !== undefined) setPriority(child.pid, constants.priority.PRIORITY_LOW)
  } catch {
    // It ended already.
  }
}

/**
 * Makes writes to a pipe wait for its reader, as they do for files and terminals: what a RUN prints faster than it is
 * read must slow the RUN down, not pile up here. Node has this only on the stream's handle.
 */
function blockOn(stream: NodeJS.WriteStream): void {
  const { _handle: handle } = stream as { _handle?: { setBlocking?: (blocking: boolean) => void } }
  handle?.setBlocking?.(true)
}
