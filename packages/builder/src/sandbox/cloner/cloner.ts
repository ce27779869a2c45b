/**
 * Entry of the cloner: a single-threaded Node process with everything loaded that the set-up of a container needs. For
 * each request it clones itself into new namespaces; the clone becomes the program of a RUN (init.ts). So a RUN costs a
 * clone instead of a start of Node. Where the machine allows it, it is pid 1 of a pid namespace of its own: when it goes
 * (which it does as soon as the worker closes its socket, dead or alive), the kernel kills all that was started from it.
 *
 * It runs no event loop and answers synchronously, since a clone has only the calling thread.
 */
import fs from 'node:fs'
import module from 'node:module'
import { type ClonerReport, type ClonerRequest, STAGES } from '../init-protocol.ts'
import { receivePacket } from '../native/descriptors.ts'
import { raw } from '../native/libc.ts'
import { cloneableMemory, cloneProcess, dieWithParent, openPidFd, reap, waitReadable } from '../native/process.ts'
import { runInit } from './init.ts'
import { hideProgram, PROGRAM } from './program.ts'
import { beginStaged, cloneStaged, type StagedClone, stateOf } from './staged-clone.ts'

const SOCKET = 3
/** How often children are looked for where the kernel cannot tell of their end by descriptor. */
const POLL_MS = 5
/** How long a process has to run before the next clone is made ready beside it. */
const SHORT_RUN_MS = 20

interface Child {
  readonly id: number
  readonly pid: number
  readonly pidFd: number | undefined
  /** Of a clone that was staged, which may still be getting ready. */
  readonly socket?: number
}

function report(message: ClonerReport): void {
  fs.writeSync(1, `${JSON.stringify(message)}\n`)
}

class Cloner {
  readonly #memory = cloneableMemory()
  readonly #children = new Map<number, Child>()
  #staged: StagedClone | undefined
  /**
   * Whether clones are made ready: from the first process on that could have been one, since what it is mounted on is
   * there by then; not any more where it does not work. Once one has got ready, the others are expected to.
   */
  #stages: 'not yet' | 'untried' | 'proven' | 'no' = process.argv.includes(STAGES) ? 'not yet' : 'no'

  /** Serves requests until the worker closes its end. */
  serve(): void {
    for (;;) {
      const watched = [...this.#children.values()]
      const fds = watched.map((child) => child.pidFd).filter((fd) => fd !== undefined)
      const blind = fds.length < watched.length
      // Making one ready takes a processor from a process that only needs it for a moment.
      if (watched.length === 0) this.#stage()
      const events = waitReadable([SOCKET, ...fds], blind ? POLL_MS : this.#lacksStaged ? SHORT_RUN_MS : -1)
      if (!events.includes(true)) this.#stage()
      const [request] = events
      if (request) {
        const packet = receivePacket(SOCKET)
        if (packet === undefined) return
        const message = JSON.parse(packet.text) as ClonerRequest
        if (message.op === 'start') this.#start(message, packet.fds)
        else for (const child of watched) if (child.id === message.id) raw.kill(child.pid, message.signal)
      }
      this.#reap()
    }
  }

  get #lacksStaged(): boolean {
    return this.#staged === undefined && (this.#stages === 'untried' || this.#stages === 'proven')
  }

  /** Makes the next clone ready. */
  #stage(): void {
    if (!this.#lacksStaged) return
    try {
      this.#staged = cloneStaged(this.#memory)
    } catch {
      this.#stages = 'no'
    }
  }

  #start({ id, flags, staged }: Extract<ClonerRequest, { op: 'start' }>, fds: readonly number[]): void {
    if (staged && this.#stages === 'not yet') this.#stages = 'untried'
    try {
      const child = (staged && this.#beginStaged(fds)) || this.#clone(flags, fds)
      this.#children.set(child.pid, { id, ...child })
    } catch (error) {
      report({ op: 'failed', id, message: error instanceof Error ? error.message : String(error) })
    } finally {
      for (const fd of fds) fs.closeSync(fd)
    }
  }

  #clone(flags: number, fds: readonly number[]): Omit<Child, 'id'> {
    const pid = cloneProcess(flags, this.#memory)
    if (pid === 0) runInit(fds, this.#memory)
    return { pid, pidFd: openPidFd(pid) }
  }

  /** undefined when there is none to be had. */
  #beginStaged(fds: readonly number[]): Omit<Child, 'id'> | undefined {
    const staged = this.#staged
    const state = staged && stateOf(staged)
    if (staged === undefined || state === 'gone') return undefined
    if (state === 'ready') this.#stages = 'proven'
    else if (this.#stages !== 'proven') return undefined
    beginStaged(staged, fds)
    this.#staged = undefined
    return staged
  }

  #reap(): void {
    for (let ended = reap(-1); ended !== undefined; ended = reap(-1)) {
      const { pid, exitCode, signal, cpuSeconds, peakMemory } = ended
      if (pid === this.#staged?.pid) this.#dropStaged(this.#staged)
      const child = this.#children.get(pid)
      if (child === undefined) continue
      this.#children.delete(pid)
      closeChild(child)
      report({ op: 'exited', id: child.id, exitCode, signal: signal ?? null, cpuSeconds, peakMemory })
    }
  }

  /** One that ended before it had anything to do: the next would, too. */
  #dropStaged(staged: StagedClone): void {
    closeChild(staged)
    this.#staged = undefined
    this.#stages = 'no'
  }
}

function closeChild({ pidFd, socket }: Omit<Child, 'id'>): void {
  for (const fd of [pidFd, socket]) if (fd !== undefined) fs.closeSync(fd)
}

dieWithParent()
if (process.argv.includes(PROGRAM)) hideProgram()
const cloner = new Cloner()
module.flushCompileCache()
report({ op: 'ready' })
cloner.serve()
// The worker is gone: so is everything below this process.
raw.exit(0)
