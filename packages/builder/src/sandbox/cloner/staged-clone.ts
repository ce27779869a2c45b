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
  /** Gives it the descriptors of a process, which it becomes; false when it is not ready, or not there any more. */
  begin(fds: readonly number[]): boolean
  /** Closes its socket: one that waits ends. */
  close(): void
}

/** Clones; returns in the parent. */
export function cloneStaged(memory: CloneableMemory): StagedClone {
  const [ours, theirs] = packetPair()
  try {
    const pid = cloneProcess(STAGED_FLAGS, memory)
    if (pid === 0) {
      fs.closeSync(ours)
      waitAndRun(theirs, memory)
    }
    return {
      pid,
      pidFd: openPidFd(pid),
      begin(fds) {
        const [news] = waitReadable([ours], 0)
        if (!news || receivePacket(ours) === undefined) return false
        sendPacket(ours, 'begin', fds)
        return true
      },
      close: () => fs.closeSync(ours),
    }
  } catch (error) {
    fs.closeSync(ours)
    throw error
  } finally {
    fs.closeSync(theirs)
  }
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
