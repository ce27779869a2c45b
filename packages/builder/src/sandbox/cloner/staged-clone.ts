/**
 * A clone that is there before it is needed: it has made ready what is the same for most processes, and waits to be told
 * the rest. So what a RUN waits for is half of the set-up; the other half happens while the one before runs.
 */
import fs from 'node:fs'
import { dirname } from 'node:path'
import { machineFacts } from '../machine.ts'
import { joinControlGroups } from '../namespaces/isolation.ts'
import { STAGED_FLAGS, stage } from '../namespaces/stage.ts'
import { packetPair, receivePacket, sendPacket } from '../native/descriptors.ts'
import { raw } from '../native/libc.ts'
import { type CloneableMemory, cloneProcess, openPidFd, waitReadable } from '../native/process.ts'
import { beginSession, runInit } from './init.ts'

export interface StagedClone {
  readonly pid: number
  readonly pidFd: number | undefined
  /** Its other end tells that the clone is ready, and waits for a process. The caller closes this one when it has ended. */
  readonly socket: number
}

/** Clones; returns in the parent. */
export function cloneStaged(memory: CloneableMemory): StagedClone {
  const [socket, theirs] = packetPair()
  try {
    const pid = cloneProcess(STAGED_FLAGS, memory)
    if (pid === 0) {
      fs.closeSync(socket)
      waitAndRun(theirs, memory)
    }
    return { pid, pidFd: openPidFd(pid), socket }
  } catch (error) {
    fs.closeSync(socket)
    throw error
  } finally {
    fs.closeSync(theirs)
  }
}

/** Looked at once: the answer `ready` comes one time. */
export function stateOf({ socket }: StagedClone): 'busy' | 'ready' | 'gone' {
  const [news] = waitReadable([socket], 0)
  return !news ? 'busy' : receivePacket(socket) === undefined ? 'gone' : 'ready'
}

/** Gives the clone the descriptors of a process, which it becomes as soon as it is ready. */
export function beginStaged({ socket }: StagedClone, fds: readonly number[]): void {
  sendPacket(socket, 'begin', fds)
}

/** In the clone. What fails here would fail for every process, which says why: this one only ends. */
function waitAndRun(socket: number, memory: CloneableMemory): never {
  try {
    beginSession()
    joinControlGroups([])
    process.umask(0)
    const staged = stage(dirname(process.argv[1]!), machineFacts().singleId)
    sendPacket(socket, 'ready', [])
    const packet = receivePacket(socket)
    if (packet === undefined) raw.exit(0)
    else runInit(packet.fds, memory, staged)
  } finally {
    raw.exit(1)
  }
  return process.abort()
}
