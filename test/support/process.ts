/** Runs programs and collects what they say. */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { patience } from './patience.ts'

export interface Finished {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  /** stdout as bytes, for archives. */
  readonly bytes: Buffer
  readonly stderr: string
  readonly ms: number
}

export interface RunOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Text or bytes for stdin, which is closed otherwise. */
  readonly stdin?: string | Uint8Array
  /** Milliseconds until it is killed, with an error, on an idle machine. Default 120 s. */
  readonly timeout?: number
  readonly uid?: number
  readonly gid?: number
}

export interface Running {
  readonly child: ChildProcess
  /** What was printed up to now. */
  stderr(): string
  readonly finished: Promise<Finished>
}

/** Starts a program. @throws from `finished` when it cannot be started or takes too long */
export function start(file: string, args: readonly string[], options: RunOptions = {}): Running {
  const began = Date.now()
  const spawnOptions: SpawnOptions = {
    cwd: options.cwd,
    env: options.env as NodeJS.ProcessEnv | undefined,
    stdio: [options.stdin === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    uid: options.uid,
    gid: options.gid,
  }
  const child = spawn(file, args, spawnOptions)
  const chunks: { out: Buffer[]; err: Buffer[] } = { out: [], err: [] }
  child.stdout!.on('data', (data: Buffer) => chunks.out.push(data))
  child.stderr!.on('data', (data: Buffer) => chunks.err.push(data))
  // A program may end before it has read everything.
  child.stdin?.on('error', () => {})
  child.stdin?.end(options.stdin)
  const stderr = (): string => Buffer.concat(chunks.err).toString()
  const finish = async (): Promise<Finished> => {
    let late = false
    const timer = setTimeout(
      () => {
        late = true
        child.kill('SIGKILL')
      },
      patience(options.timeout ?? 120_000),
    )
    try {
      const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
      if (late) throw new Error(`${file} ${args.join(' ')} took too long\n${stderr().slice(-4000)}`)
      const bytes = Buffer.concat(chunks.out)
      return { code, signal, bytes, stdout: bytes.toString(), stderr: stderr(), ms: Date.now() - began }
    } finally {
      clearTimeout(timer)
    }
  }
  return { child, stderr, finished: finish() }
}

export function run(file: string, args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  return start(file, args, options).finished
}

/** Runs a program that must succeed. @returns its stdout */
export async function must(file: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const result = await run(file, args, options)
  if (result.code !== 0) {
    const end = result.signal ?? `exit code ${result.code}`
    throw new Error(`${file} ${args.join(' ')}: ${end}\n${result.stdout.slice(-2000)}${result.stderr.slice(-4000)}`)
  }
  return result.stdout
}

/** Waits until a condition holds. @throws Error after the given time (ms), longer where the machine is busy */
export async function until(what: string, holds: () => boolean | Promise<boolean>, ms = 15_000): Promise<void> {
  const begin = Date.now()
  while (!(await holds())) {
    if (Date.now() - begin > patience(ms)) throw new Error(`waited ${ms} ms for ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
