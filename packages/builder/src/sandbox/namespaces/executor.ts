/**
 * The default executor: a clone in namespaces of its own for every process. Life of a run: pipes and a memory file with
 * the specification go to the cloner; the clone sets itself up and execs (init.ts); output is handed on as it comes;
 * at the end, mount points that were made are removed.
 */
import fs from 'node:fs'
import { constants } from 'node:os'
import { serialize } from 'node:v8'
import { cancelled, throwIfAborted } from '../../errors.ts'
import { sandboxErrors } from '../errors.ts'
import type { Executor, ProcessExit, ProcessIO, ProcessSpec } from '../executor.ts'
import { removeStubs, type Stub } from '../mounts/stubs.ts'
import { memoryFile, pipe } from '../native/descriptors.ts'
import { CLONE } from '../native/process.ts'
import { drain, feed } from '../stdio.ts'
import { ClonerProcess } from './cloner-process.ts'
import type { InitSpec, InitStatus } from './protocol.ts'

/** What the worker knows about its machine when it makes the executor. */
export interface NamespacesOptions {
  /** Only one user id is mapped: no other users, no groups. */
  readonly singleId: boolean
  /** The `sandbox` mode's filter; undefined where the kernel has none. */
  readonly seccomp: Uint8Array | undefined
  /** Directory for Node's compile cache. */
  readonly compileCache: string | undefined
}

const SIGKILL = 9

type Ended =
  | { readonly exit: { exitCode: number; signal: number | null; cpuSeconds: number; peakMemory: number } }
  | { readonly failure: string }

export class NamespacesExecutor implements Executor {
  readonly name = 'namespaces'
  readonly #options: NamespacesOptions
  #cloner: ClonerProcess

  constructor(options: NamespacesOptions) {
    this.#options = options
    this.#cloner = new ClonerProcess(options.compileCache)
  }

  /** Resolves when the first process can be started without delay; rejects when none can. */
  async ready(): Promise<void> {
    await this.#cloner.ready()
  }

  async run(spec: ProcessSpec, rootfs: string, io: ProcessIO, signal: AbortSignal): Promise<ProcessExit> {
    throwIfAborted(signal)
    if (!this.#cloner.alive) this.#cloner = new ClonerProcess(this.#options.compileCache)
    await this.#cloner.ready()
    throwIfAborted(signal)
    const stubs: Stub[] = []
    try {
      return await this.#runOnce(spec, rootfs, io, signal, stubs)
    } finally {
      removeStubs(rootfs, stubs)
    }
  }

  async #runOnce(
    spec: ProcessSpec,
    rootfs: string,
    io: ProcessIO,
    signal: AbortSignal,
    stubs: Stub[],
  ): Promise<ProcessExit> {
    const initSpec: InitSpec = {
      process: spec,
      rootfs,
      cgroups: [],
      singleId: this.#options.singleId,
      ownsNetwork: spec.network !== 'host',
      seccomp: this.#options.seccomp,
      terminal: false,
      waitForGo: false,
    }
    const flags =
      CLONE.NEWNS | CLONE.NEWPID | CLONE.NEWIPC | CLONE.NEWUTS | (spec.network === 'host' ? 0 : CLONE.NEWNET)
    const [stdin, stdinWriter] =
      io.stdin === undefined ? [fs.openSync('/dev/null', 'r')] : io.stdin === 'inherit' ? [0] : pipe()
    const [stdout, stdoutWriter] = pipe()
    const [stderr, stderrWriter] = pipe()
    const [status, statusWriter] = pipe()
    const specFile = memoryFile('spec', serialize(initSpec))
    const given = [specFile, stdin, stdoutWriter, stderrWriter, statusWriter, specFile]

    const ended = Promise.withResolvers<Ended>()
    let id: number
    try {
      id = this.#cloner.start(flags, given, {
        started: () => {},
        failed: (failure) => ended.resolve({ failure }),
        exited: (exit) => ended.resolve({ exit }),
      })
    } finally {
      for (const fd of new Set(given)) if (fd !== 0) fs.closeSync(fd)
    }
    const abort = (): void => this.#cloner.kill(id, SIGKILL)
    signal.addEventListener('abort', abort, { once: true })
    try {
      const feeding =
        stdinWriter === undefined ? undefined : feed(stdinWriter, io.stdin as import('node:stream').Readable)
      const [outcome, failure] = await Promise.all([
        ended.promise,
        readStatus(status, stubs),
        drain(stdout, (chunk) => io.onOutput('stdout', chunk)),
        drain(stderr, (chunk) => io.onOutput('stderr', chunk)),
      ]).finally(() => feeding?.destroy())
      if (signal.aborted) throw cancelled([], { cause: signal.reason })
      if ('failure' in outcome) throw sandboxErrors.executorFailed([outcome.failure])
      if (failure !== undefined) throw startError(failure)
      return exitOf(outcome.exit)
    } catch (error) {
      abort()
      await ended.promise
      throw error
    } finally {
      signal.removeEventListener('abort', abort)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cloner.close()
  }
}

type Failure = Extract<InitStatus, { type: 'failed' }>

/** Reads what the set-up says until the program runs (the pipe closes at exec). */
async function readStatus(fd: number, stubs: Stub[]): Promise<Failure | undefined> {
  let text = ''
  await drain(fd, (chunk) => {
    text += chunk.toString()
  })
  let failure: Failure | undefined
  for (const line of text.split('\n')) {
    if (line === '') continue
    const message = JSON.parse(line) as InitStatus
    if (message.type === 'failed') failure = message
    else
      stubs.push({
        path: message.path,
        kind: message.kind,
        parentAtimeNs: BigInt(message.atimeNs),
        parentMtimeNs: BigInt(message.mtimeNs),
      })
  }
  return failure
}

function startError(failure: Failure): Error {
  if (failure.kind === 'exec') return sandboxErrors.execFailed([failure.message], { exitCode: failure.exitCode })
  if (failure.kind === 'user') return sandboxErrors.userNotMapped([failure.message])
  return sandboxErrors.setupFailed([failure.message])
}

const signalNames = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name as NodeJS.Signals]))

function exitOf(exit: {
  exitCode: number
  signal: number | null
  cpuSeconds: number
  peakMemory: number
}): ProcessExit {
  const usage = { peakMemory: exit.peakMemory, cpuSeconds: exit.cpuSeconds }
  const signal = exit.signal === null ? undefined : signalNames.get(exit.signal)
  return { exitCode: exit.exitCode, usage, ...(signal === undefined ? {} : { signal }) }
}
