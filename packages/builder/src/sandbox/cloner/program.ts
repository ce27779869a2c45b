/**
 * The file that the cloner executes. A process keeps its executable within reach (/proc/self/exe) until it has executed
 * another one, and a RUN can name that link as its program, interpreter or loader: so what stands behind it must not be
 * the machine's own Node. It is shown by a mount of its own that nobody can write through, neither content nor mode, owner
 * nor times, and that turns unexecutable as soon as the cloner runs.
 */
import fs from 'node:fs'
import { hasCode } from '../../util/has-code.ts'
import { sealedFile } from '../native/descriptors.ts'
import { cloneMount, restrictMount } from '../native/mount.ts'

/** Descriptor on which the cloner gets its own program. */
const PROGRAM_FD = 4
/** What the cloner is started as. */
export const PROGRAM_PATH = `/proc/self/fd/${PROGRAM_FD}`
/** Argument of a cloner that has {@link PROGRAM_FD}. */
export const PROGRAM = '--program'

/** Opens Node for a cloner; the caller closes it. Throws EPERM where mounts are not allowed. */
export function openProgram(): number {
  try {
    return cloneMount(process.execPath, { readonly: true, nosuid: true, nodev: true })
  } catch (error) {
    // Before Linux 5.12.
    if (!hasCode(error, 'ENOSYS')) throw error
    return copyProgram()
  }
}

/** Node in memory: costs time, but needs nothing of the kernel. */
export function copyProgram(): number {
  const source = fs.openSync(process.execPath, 'r')
  try {
    return sealedFile('node', source)
  } finally {
    fs.closeSync(source)
  }
}

/** Called in the cloner: from now on its program cannot be executed again. */
export function hideProgram(): void {
  try {
    restrictMount(PROGRAM_FD, { readonly: true, noexec: true })
  } catch (error) {
    // A copy: nothing of the machine.
    if (!hasCode(error, 'EINVAL', 'ENOSYS')) throw error
  }
  fs.closeSync(PROGRAM_FD)
}
