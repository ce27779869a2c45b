/** Device nodes where /dev cannot be mounted. */
import fs from 'node:fs'
import { hasCode } from '../../util/has-code.ts'
import { makeCharacterDevice } from '../native/files.ts'

const numbers = { null: [1, 3], zero: [1, 5], full: [1, 7], random: [1, 8], urandom: [1, 9], tty: [5, 0] } as const

/** Makes the node; a plain file where the machine does not allow nodes or their use, which at least can be written to. */
export function makeDevice(path: string, name: keyof typeof numbers): void {
  const [major, minor] = numbers[name]
  try {
    makeCharacterDevice(path, major, minor)
    if (name !== 'tty') fs.closeSync(fs.openSync(path, 'r'))
  } catch (error) {
    if (!hasCode(error, 'EPERM', 'EACCES')) throw error
    fs.rmSync(path, { force: true })
    fs.writeFileSync(path, '')
  }
  fs.chmodSync(path, 0o666)
}
