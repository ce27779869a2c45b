/** Connects a process to this one's streams, and tells of its end. */
import type { Console, RunImageResult } from '@tsbuild/builder'
import type { CommandContext } from '../command.ts'
import { buildErrorOf } from '../error-kind.ts'
import { EXIT } from '../exit-codes.ts'
import { type Io, write } from '../io.ts'
import { formatBytes } from '../progress/format.ts'
import { renderError } from '../render-error.ts'
import { UsageError } from '../usage-error.ts'

/** The flags that decide what a process is connected to. */
export const CONSOLE_FLAGS = [
  { name: 'interactive', alias: 'i', type: 'boolean', help: 'Pass stdin on to the process' },
  { name: 'tty', alias: 't', type: 'boolean', help: 'Give the process a terminal' },
] as const

/** @throws UsageError when there is no terminal that could be passed on */
export function openConsole(io: Io, { interactive, tty }: { interactive: boolean; tty: boolean }): Console {
  if (interactive && tty && !io.stdin.isTTY)
    throw new UsageError('the input device is not a TTY', 'leave -t away, or run the command in a terminal')
  return { stdin: interactive ? io.stdin : undefined, stdout: io.stdout, stderr: io.stderr, tty }
}

/** Runs a process and returns the exit code that the command ends with: the process's own, or what docker's would be. */
export async function runToEnd(
  { io, signal, global }: CommandContext,
  run: () => Promise<RunImageResult>,
): Promise<number> {
  try {
    const { exitCode, oomKilled, peakMemory } = await run()
    if (oomKilled) {
      const peak = peakMemory === undefined ? '' : ` at ${formatBytes(peakMemory)}`
      await write(io.stderr, `tsbuild: killed by the out-of-memory killer${peak}\n`)
    }
    return exitCode
  } catch (error) {
    const failure = signal.aborted ? undefined : await buildErrorOf(error)
    if (failure === undefined || failure.code === 'OPTION_INVALID') throw error
    await write(io.stderr, await renderError(failure, { debug: global.debug }))
    return failure.exitCode ?? EXIT.notStarted
  }
}
