/** The machine's devices, as an OCI runtime finds them. */
import fs from 'node:fs'
import { hasCode } from '../../util/has-code.ts'
import { devices } from '../mounts/standard.ts'
import { AT_FDCWD, O_PATH, openAt } from '../native/files.ts'
import { bindOn } from '../native/mount.ts'

/**
 * In a user namespace, runtimes cannot make device nodes and show the machine's instead. Read-only in this mount
 * namespace, they are so in the container: they can be used, but neither mode nor times can be changed.
 */
export function protectDevices(): void {
  if (!hasOwnMounts()) return
  for (const name of Object.keys(devices)) {
    const path = `/dev/${name}`
    const target = openAt(AT_FDCWD, path, O_PATH)
    bindOn(target, target, { readonly: true })
    fs.closeSync(target)
  }
}

/** Whether this process's mounts are not those of the process that started it. */
function hasOwnMounts(): boolean {
  try {
    return fs.readlinkSync('/proc/self/ns/mnt') !== fs.readlinkSync(`/proc/${process.ppid}/ns/mnt`)
  } catch (error) {
    // The other one belongs to another user namespace.
    if (hasCode(error, 'EACCES', 'EPERM')) return true
    throw error
  }
}
