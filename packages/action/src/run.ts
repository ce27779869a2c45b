/** What every entry does: the process as a runner and its streams, an exit code at the end. */
import { type Io, trapSignals } from '../../cli/src/embed.ts'
import { Runner } from './runner.ts'

/** Runs an action in this process. */
export async function runStep(step: (runner: Runner, io: Io, signal: AbortSignal) => Promise<number>): Promise<void> {
  const { env, stdin, stdout } = process
  using trap = trapSignals()
  const runner = new Runner(env, (text) => stdout.write(text))
  // One stream, so that everything stands in the log in its order.
  const io: Io = { stdin, stdout, stderr: stdout, env, cwd: process.cwd() }
  process.exitCode = await step(runner, io, trap.signal)
}
