/** Reads /etc/passwd and /etc/group of a root filesystem, which may be anything in an image. */
import fs from 'node:fs'
import { hasCode } from '../util/has-code.ts'
import { resolveBelow } from './native/resolve.ts'

/**
 * The text of a regular file of the root filesystem, '' when there is none; links are followed inside it only.
 *
 * @param limit bytes: larger files than this are not account files
 * @param refuse makes the error of a file that is not to be read
 */
export function readAccountFile(rootfs: string, path: string, limit: number, refuse: (why: string) => Error): string {
  let fd: number
  try {
    const found = resolveBelow(rootfs, path)
    fd = found.fd
    // Asked before it is opened for reading: opening a device or fifo would have effects.
    if ((found.mode & fs.constants.S_IFMT) !== fs.constants.S_IFREG) {
      fs.closeSync(fd)
      throw refuse('is not a regular file')
    }
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return ''
    throw error
  }
  try {
    const file = fs.openSync(`/proc/self/fd/${fd}`, 'r')
    try {
      if (fs.fstatSync(file).size > limit) throw refuse(`is larger than ${limit} bytes`)
      return fs.readFileSync(file, 'utf8')
    } finally {
      fs.closeSync(file)
    }
  } finally {
    fs.closeSync(fd)
  }
}
