/** Runs command lines in this process, with streams and an environment of the test. */
import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import { main } from '../cli.ts'
import type { Environment } from '../io.ts'

export interface RunResult {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** @param input what stdin has */
export async function runMain(argv: readonly string[], env: Environment, cwd: string, input = ''): Promise<RunResult> {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()]
  stdin.end(input)
  const { signal } = new AbortController()
  const trap = { signal, exitCode: undefined, abort: () => {}, [Symbol.dispose]: () => {} }
  const texts = Promise.all([text(stdout), text(stderr)])
  const code = await main(argv, { stdin, stdout, stderr, env, cwd }, trap)
  stdout.end()
  stderr.end()
  const [out, err] = await texts
  return { code, stdout: out, stderr: err }
}
