/** Runs one process through the cloner: pipes and the specification go there, output and the exit come back. */
import fs from 'node:fs'
import { constants } from 'node:os'
import type { Readable } from 'node:stream'
import { serialize } from 'node:v8'
import { cancelled } from '../../errors.ts'
import { sandboxErrors } from '../errors.ts'
import type { ProcessExit, ProcessIO } from '../executor.ts'
import { checkUlimits } from '../limits/rlimit.ts'
import type { Stub } from '../mounts/points.ts'
import { memoryFile, pipe } from '../native/descriptors.ts'
import { drain, feed } from '../stdio.ts'
import type { ClonerProcess } from './cloner-process.ts'
import type { ClonerReport, InitSpec, InitStatus } from './protocol.ts'

export interface CloneRequest {
  readonly spec: InitSpec
  /** CLONE_NEW… */
  readonly flags: number
  readonly io: ProcessIO
  readonly signal: AbortSignal
  /** Told of the process's pid (as the cloner sees it) once it exists; with `waitForGo` the set-up waits for it. */
  readonly onStarted?: (pid: number) => Promise<void>
}

type Exit = Extract<ClonerReport, { op: 'exited' }>
type Ended = { readonly exit: Exit } | { readonly failure: string }
type Failure = Extract<InitStatus, { type: 'failed' }>

interface Told {
  readonly failure: Failure | undefined
  readonly signal: number | undefined
}

/**
 * Runs to the end. `stubs` receives the mount points that were made. Rejects as {@link Executor.run} does; by then
 * everything that was started is gone.
 */
export async function runClone(cloner: ClonerProcess, request: CloneRequest, stubs: Stub[]): Promise<ProcessExit> {
  const { io, signal } = request
  checkUlimits(request.spec.process.ulimits)
  const [stdin, stdinWriter] =
    io.stdin === undefined
      ? [fs.openSync('/dev/null', 'r')]
      : io.stdin === 'inherit'
        ? [fs.openSync('/proc/self/fd/0', 'r')]
        : pipe()
  const [stdout, stdoutWriter] = pipe()
  const [stderr, stderrWriter] = pipe()
  const [status, statusWriter] = pipe()
  const [lifeReader, life] = pipe()
  const spec = memoryFile('spec', serialize(request.spec))
  const given = [spec, stdin, stdoutWriter, stderrWriter, statusWriter, lifeReader] as const

  const ended = Promise.withResolvers<Ended>()
  const started = Promise.withResolvers<number>()
  started.promise.catch(() => {})
  let running: number
  try {
    running = cloner.start(request.flags, given, {
      started: (pid) => started.resolve(pid),
      failed: (failure) => ended.resolve({ failure }),
      exited: (exit) => ended.resolve({ exit }),
    })
  } catch (error) {
    for (const fd of [stdout, stderr, status, life, stdinWriter]) if (fd !== undefined) fs.closeSync(fd)
    throw error
  } finally {
    for (const fd of given) fs.closeSync(fd)
  }
  let open = true
  const stop = (): void => {
    // Without namespaces the supervisor has to live on to kill the rest: the end of its life line tells it to.
    if (request.spec.mode === 'namespaces') cloner.kill(running, constants.signals.SIGKILL)
    if (open) fs.closeSync(life)
    open = false
  }
  signal.addEventListener('abort', stop, { once: true })
  if (signal.aborted) stop()
  const feeding = stdinWriter === undefined ? undefined : feed(stdinWriter, io.stdin as Readable)
  const attach = request.onStarted === undefined ? undefined : started.promise.then(request.onStarted)
  try {
    const [outcome, told] = await Promise.all([
      ended.promise,
      readStatus(status, stubs),
      drain(stdout, (chunk) => io.onOutput('stdout', chunk)),
      drain(stderr, (chunk) => io.onOutput('stderr', chunk)),
      Promise.race([attach?.then(() => fs.writeSync(life, 'g')), ended.promise]),
    ])
    if (signal.aborted) throw cancelled([], { cause: signal.reason })
    if ('failure' in outcome) throw sandboxErrors.executorFailed([outcome.failure])
    if (told.failure !== undefined) throw startError(told.failure)
    return exitOf(outcome.exit, told.signal)
  } catch (error) {
    stop()
    await ended.promise
    throw error
  } finally {
    stop()
    feeding?.destroy()
    signal.removeEventListener('abort', stop)
  }
}

/** Reads what the set-up says; the pipe closes when the program starts or has failed to. */
async function readStatus(fd: number, stubs: Stub[]): Promise<Told> {
  let text = ''
  await drain(fd, (chunk) => {
    text += chunk.toString()
  })
  let failure: Failure | undefined
  let signal: number | undefined
  for (const line of text.split('\n')) {
    if (line === '') continue
    const message = JSON.parse(line) as InitStatus
    if (message.type === 'failed') failure = message
    else if (message.type === 'signal') signal = message.number
    else
      stubs.push({
        path: message.path,
        kind: message.kind,
        parentAtimeNs: BigInt(message.atimeNs),
        parentMtimeNs: BigInt(message.mtimeNs),
      })
  }
  return { failure, signal }
}

function startError(failure: Failure): Error {
  if (failure.kind === 'exec') return sandboxErrors.execFailed([failure.message], { exitCode: failure.exitCode })
  if (failure.kind === 'user') return sandboxErrors.userNotMapped([failure.message])
  return sandboxErrors.setupFailed([failure.message])
}

const signalNames = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name as NodeJS.Signals]))

function exitOf(exit: Exit, told: number | undefined): ProcessExit {
  const usage = { peakMemory: exit.peakMemory, cpuSeconds: exit.cpuSeconds }
  const signal = signalNames.get(exit.signal ?? told ?? 0)
  return { exitCode: exit.exitCode, usage, ...(signal === undefined ? {} : { signal }) }
}
