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
import { receivePacket } from '../native/descriptors.ts'
import { raw } from '../native/libc.ts'
import { cloneableMemory, cloneProcess, dieWithParent, openPidFd, reap, waitReadable } from '../native/process.ts'
import { runInit } from './init.ts'
import type { ClonerReport, ClonerRequest } from './protocol.ts'

const SOCKET = 3
/** How often children are looked for where the kernel cannot tell of their end by descriptor. */
const POLL_MS = 5

interface Child {
  readonly id: number
  readonly pid: number
  readonly pidFd: number | undefined
}

function report(message: ClonerReport): void {
  fs.writeSync(1, `${JSON.stringify(message)}\n`)
}

function start(
  id: number,
  flags: number,
  fds: readonly number[],
  memory: ReturnType<typeof cloneableMemory>,
): Child | undefined {
  try {
    const pid = cloneProcess(flags, memory)
    if (pid === 0) runInit(fds, memory)
    return { id, pid, pidFd: openPidFd(pid) }
  } catch (error) {
    report({ op: 'failed', id, message: error instanceof Error ? error.message : String(error) })
    return undefined
  } finally {
    for (const fd of fds) fs.closeSync(fd)
  }
}

function serve(): void {
  dieWithParent()
  const memory = cloneableMemory()
  const children = new Map<number, Child>()
  module.flushCompileCache()
  report({ op: 'ready' })
  for (;;) {
    const watched = [...children.values()]
    const fds = watched.map((child) => child.pidFd).filter((fd) => fd !== undefined)
    const [request] = waitReadable([SOCKET, ...fds], fds.length === watched.length ? -1 : POLL_MS)
    if (request) {
      const packet = receivePacket(SOCKET)
      if (packet === undefined) return
      const message = JSON.parse(packet.text) as ClonerRequest
      if (message.op === 'start') {
        const child = start(message.id, message.flags, packet.fds, memory)
        if (child) children.set(child.pid, child)
      } else {
        for (const child of watched) if (child.id === message.id) raw.kill(child.pid, message.signal)
      }
    }
    for (let ended = reap(-1); ended !== undefined; ended = reap(-1)) {
      const child = children.get(ended.pid)
      if (child === undefined) continue
      children.delete(ended.pid)
      if (child.pidFd !== undefined) fs.closeSync(child.pidFd)
      const { exitCode, signal, cpuSeconds, peakMemory } = ended
      report({ op: 'exited', id: child.id, exitCode, signal: signal ?? null, cpuSeconds, peakMemory })
    }
  }
}

serve()
// The worker is gone: so is everything below this process.
raw.exit(0)
