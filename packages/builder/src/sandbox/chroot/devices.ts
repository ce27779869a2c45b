/** Device nodes where /dev cannot be mounted. */
import fs from 'node:fs'
import { hasCode } from '../../util/has-code.ts'
import { devices } from '../mounts/standard.ts'
import { createFileAt, makeCharacterDevice } from '../native/files.ts'

/**
 * Makes the node in the directory; a plain file where the machine does not allow nodes or their use, which at least can be
 * written to.
 */
export function makeDevice(directory: number, name: keyof typeof devices): undefined {
  const [major, minor] = devices[name]
  const path = `/proc/self/fd/${directory}/${name}`
  try {
    makeCharacterDevice(directory, name, major, minor)
    if (name !== 'tty') fs.closeSync(fs.openSync(path, 'r'))
  } catch (error) {
    if (!hasCode(error, 'EPERM', 'EACCES')) throw error
    fs.rmSync(path, { force: true })
    createFileAt(directory, name, 0o666)
  }
  fs.chmodSync(path, 0o666)
}
