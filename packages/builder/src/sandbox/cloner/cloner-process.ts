/** The worker's side of the cloner: starts it, sends it requests, hears its reports. */
import { type ChildProcess, spawn } from 'node:child_process'
import fs, { existsSync } from 'node:fs'
import type { Socket } from 'node:net'
import { extname } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { hasCode } from '../../util/has-code.ts'
import { sandboxErrors } from '../errors.ts'
import { type ClonerReport, type ClonerRequest, STAGES } from '../init-protocol.ts'
import { machineFacts } from '../machine.ts'
import { packetPair, sendPacket } from '../native/descriptors.ts'
import { copyProgram, openProgram, PROGRAM, PROGRAM_PATH } from './program.ts'

/** Told of one started process; `exited` may come before the status pipe has been read. */
export interface ChildListener {
  failed(message: string): void
  exited(report: Extract<ClonerReport, { op: 'exited' }>): void
}

/** Flags that keep Node single-threaded, which a clone depends on. */
const NODE_FLAGS = [
  '--single-threaded',
  '--v8-pool-size=0',
  '--disable-sigusr1',
  '--max-semi-space-size=1',
  '--no-warnings',
  '--no-lazy',
  '--no-sparkplug',
  '--no-maglev',
  '--no-opt',
]
const STDERR_LIMIT = 4096

/**
 * The cloner as a single CommonJS file, where there is one: with V8 flags of its own, Node has to compile the modules of
 * its own that it starts without, and a CommonJS file needs the fewest of these.
 */
function entryFile(): string {
  const bundled = fileURLToPath(new URL('./cloner.cjs', import.meta.url))
  return existsSync(bundled) ? bundled : fileURLToPath(new URL(`./cloner${extname(import.meta.url)}`, import.meta.url))
}

/** Node behind a descriptor; undefined: the file itself, where its clones never see a /proc that leads to it. */
function programFor(pidNamespace: boolean): number | undefined {
  try {
    return openProgram()
  } catch (error) {
    if (!hasCode(error, 'EPERM')) throw error
    // Who has the right to mount may still be kept from this way of doing it.
    return pidNamespace && machineFacts().canMount ? copyProgram() : undefined
  }
}

export interface ClonerOptions {
  /** Where Node keeps compiled modules; undefined: nowhere. */
  readonly compileCache: string | undefined
  /** A pid namespace of its own: whatever it started dies with it. Clones are made ready there before they are needed. */
  readonly pidNamespace: boolean
}

export class ClonerProcess {
  readonly #child: ChildProcess
  readonly #socket: number
  readonly #listeners = new Map<number, ChildListener>()
  readonly #ready: Promise<void>
  readonly #ended: Promise<void>
  #nextId = 1
  #gone: string | undefined
  #closing = false

  constructor({ compileCache, pidNamespace }: ClonerOptions) {
    const [ours, theirs] = packetPair()
    const entry = entryFile()
    const env = compileCache === undefined ? {} : { NODE_COMPILE_CACHE: compileCache }
    this.#socket = ours
    const program = programFor(pidNamespace)
    const node = program === undefined ? process.execPath : PROGRAM_PATH
    const command = [...(pidNamespace ? ['unshare', '-p', '-f'] : []), node, ...NODE_FLAGS, entry]
    if (pidNamespace) command.push(STAGES)
    if (program !== undefined) command.push(PROGRAM)
    this.#child = spawn(command[0]!, command.slice(1), {
      stdio: ['ignore', 'pipe', 'pipe', theirs, ...(program === undefined ? [] : [program])],
      env: { PATH: process.env.PATH, ...env },
    })
    fs.closeSync(theirs)
    if (program !== undefined) fs.closeSync(program)
    let errors = ''
    this.#child.stderr?.on('data', (chunk: Buffer) => {
      errors = (errors + chunk.toString()).slice(-STDERR_LIMIT)
    })
    let ready: () => void = () => {}
    this.#ready = new Promise((resolve) => {
      ready = resolve
    })
    createInterface({ input: this.#child.stdout! }).on('line', (line) => {
      const report = JSON.parse(line) as ClonerReport
      if (report.op === 'ready') {
        ready()
        this.#unref()
      } else this.#dispatch(report)
    })
    this.#ended = new Promise((resolve) => {
      const end = (why: string): void => {
        if (this.#gone !== undefined) return
        this.#gone = why
        if (!this.#closing) fs.closeSync(this.#socket)
        for (const listener of this.#listeners.values()) listener.failed(why)
        this.#listeners.clear()
        ready()
        resolve()
      }
      this.#child.once('error', (error) => end(error.message))
      this.#child.once('close', (code, signal) => end(errors.trim() || `ended with ${signal ?? `status ${code}`}`))
    })
  }

  get alive(): boolean {
    return this.#gone === undefined
  }

  /** Resolves when requests will be served; rejects with EXECUTOR_FAILED when it could not be started. */
  async ready(): Promise<void> {
    await this.#ready
    if (this.#gone !== undefined) throw sandboxErrors.executorFailed([this.#gone])
  }

  /** Starts a process; the descriptors (see {@link InitDescriptors}) may be closed after the call. Returns its id. */
  start(how: { flags: number; staged: boolean }, fds: readonly number[], listener: ChildListener): number {
    if (this.#gone !== undefined) throw sandboxErrors.executorFailed([this.#gone])
    const id = this.#nextId++
    this.#listeners.set(id, listener)
    this.#ref()
    this.#send({ op: 'start', id, ...how }, fds)
    return id
  }

  /** Sends a signal to a started process; nothing happens when it is gone. */
  kill(id: number, signal: number): void {
    if (!this.#closing && this.#listeners.has(id)) this.#send({ op: 'kill', id, signal }, [])
  }

  /** Ends the cloner and everything started from it. */
  async close(): Promise<void> {
    this.#ref()
    if (this.#gone === undefined) {
      this.#closing = true
      fs.closeSync(this.#socket)
    }
    await this.#ended
  }

  #send(request: ClonerRequest, fds: readonly number[]): void {
    sendPacket(this.#socket, JSON.stringify(request), fds)
  }

  #dispatch(report: Exclude<ClonerReport, { op: 'ready' }>): void {
    const listener = this.#listeners.get(report.id)
    if (listener === undefined) return
    this.#listeners.delete(report.id)
    if (this.#listeners.size === 0) this.#unref()
    if (report.op === 'failed') listener.failed(report.message)
    else listener.exited(report)
  }

  /** While nothing runs, the cloner does not keep the worker alive. */
  #unref(): void {
    this.#child.unref()
    for (const stream of [this.#child.stdout, this.#child.stderr]) (stream as Socket).unref()
  }

  #ref(): void {
    this.#child.ref()
    for (const stream of [this.#child.stdout, this.#child.stderr]) (stream as Socket).ref()
  }
}
