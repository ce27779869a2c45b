/** Runs one process through the cloner: the specification goes there, output and the exit come back. */
import fs from 'node:fs'
import { constants } from 'node:os'
import { cancelled } from '../../errors.ts'
import { sandboxErrors } from '../errors.ts'
import type { ProcessExit, ProcessIO } from '../executor.ts'
import { type ClonerReport, encodeSpec, type InitSpec } from '../init-protocol.ts'
import { checkUlimits } from '../limits/rlimit.ts'
import type { Stub } from '../mounts/points.ts'
import { memoryFile, pipe } from '../native/descriptors.ts'
import { openStdio } from '../stdio.ts'
import type { ClonerProcess } from './cloner-process.ts'
import { readStatus, setUpError, signalName, type Told } from './status.ts'

export interface CloneRequest {
  readonly spec: InitSpec
  /** CLONE_NEW… */
  readonly flags: number
  /** Whether a clone can be used that was made ready for any process. */
  readonly staged: boolean
  readonly io: ProcessIO
  readonly signal: AbortSignal
  /** With `waitForGo`: connects the network of the process with this pid; disposed when the process has ended. */
  readonly attach?: ((pid: number) => Promise<AsyncDisposable>) | undefined
  /** Called when the clone has ended, before the end of its output is waited for: others may still hold that. */
  readonly onEnded?: (() => void) | undefined
}

type Exit = Extract<ClonerReport, { op: 'exited' }>
type Ended = { readonly exit: Exit } | { readonly failure: string }

/** A set-up takes milliseconds; one that hangs is killed. */
const SET_UP_MS = 30_000

/**
 * Runs to the end. `onStub` is told of the mount points that were made. Rejects as {@link Executor.run} does; by then
 * everything that was started is gone. A set-up that breaks down before the program has begun is tried once more, unless
 * input may be lost by it.
 */
export async function runClone(
  cloner: ClonerProcess,
  request: CloneRequest,
  onStub: (stub: Stub) => void,
): Promise<ProcessExit> {
  checkUlimits(request.spec.process.ulimits)
  const again = request.io.stdin === undefined && request.io.terminal === undefined
  const exit = (await attempt(cloner, request, onStub)) ?? (again ? await attempt(cloner, request, onStub) : undefined)
  if (exit === undefined) throw sandboxErrors.executorFailed(['the set-up of the process broke down'])
  return exit
}

/** undefined: the process ended before its program began, without saying why. */
async function attempt(
  cloner: ClonerProcess,
  { spec, flags, staged, io, signal, attach, onEnded }: CloneRequest,
  onStub: (stub: Stub) => void,
): Promise<ProcessExit | undefined> {
  const stdio = openStdio(io)
  const [status, statusWriter] = pipe()
  const [lifeReader, life] = pipe()
  const specFile = memoryFile('spec', encodeSpec(spec))
  const given = [specFile, ...stdio.given, statusWriter, lifeReader] as const
  const ended = Promise.withResolvers<Ended>()
  let running: number
  try {
    running = cloner.start({ flags, staged }, given, {
      failed: (failure) => ended.resolve({ failure }),
      exited: (exit) => {
        onEnded?.()
        ended.resolve({ exit })
      },
    })
  } catch (error) {
    for (const fd of [status, life]) fs.closeSync(fd)
    await stdio.close()
    throw error
  } finally {
    // On a terminal, one descriptor is given three times.
    for (const fd of new Set(given)) fs.closeSync(fd)
  }

  let open = true
  const stop = (): void => {
    // Without namespaces the supervisor has to live on to kill the rest: the end of its life line tells it to.
    if (spec.mode === 'namespaces') cloner.kill(running, constants.signals.SIGKILL)
    if (open) fs.closeSync(life)
    open = false
  }
  const watchdog = setTimeout(stop, SET_UP_MS)
  signal.addEventListener('abort', stop, { once: true })
  if (signal.aborted) stop()
  const network = new AsyncDisposableStack()
  const attached = Promise.withResolvers<void>()
  const connect = async (pid: number): Promise<void> => {
    if (attach !== undefined) network.use(await attach(pid))
    if (open) fs.writeSync(life, 'g')
  }
  try {
    const [outcome, told] = await Promise.all([
      ended.promise,
      readStatus(status, {
        onPid: (pid) => attached.resolve(connect(pid)),
        onReady: () => clearTimeout(watchdog),
        onStub,
      }),
      stdio.transfer(),
      Promise.race([attached.promise, ended.promise]),
    ])
    if (signal.aborted) throw cancelled([], { cause: signal.reason })
    if ('failure' in outcome) throw sandboxErrors.executorFailed([outcome.failure])
    if (told.failure !== undefined) throw setUpError(told.failure)
    return told.ready ? exitOf(outcome.exit, told) : undefined
  } catch (error) {
    stop()
    await ended.promise
    throw signal.aborted ? cancelled([], { cause: signal.reason }) : error
  } finally {
    clearTimeout(watchdog)
    signal.removeEventListener('abort', stop)
    stop()
    await stdio.close()
    await network.disposeAsync()
  }
}

function exitOf(exit: Exit, told: Told): ProcessExit {
  const usage = { peakMemory: exit.peakMemory, cpuSeconds: exit.cpuSeconds }
  const signal = exit.signal === null ? told.signal : signalName(exit.signal)
  return { exitCode: exit.exitCode, usage, ...(signal === undefined ? {} : { signal }) }
}
