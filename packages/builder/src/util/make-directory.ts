/**
 * Makes directories with all that is missing above them. Node's own `recursive` never ends where a directory exists but
 * nothing can be made in it and the kernel says ENOENT, as in /proc. Leaf module.
 */
import { mkdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { hasCode } from './has-code.ts'

/** Makes a directory unless it is there. @param mode of all that is made, subject to the umask */
export function makeDirectorySync(path: string, mode = 0o777): void {
  try {
    mkdirSync(path, mode)
  } catch (error) {
    const present = () => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
    if (isMissingParent(error, path)) {
      makeDirectorySync(dirname(path), mode)
      try {
        mkdirSync(path, mode)
      } catch (again) {
        if (!hasCode(again, 'EEXIST') || !present()) throw again
      }
    } else if (!present()) throw error
  }
}

function isMissingParent(error: unknown, path: string): boolean {
  return hasCode(error, 'ENOENT') && dirname(path) !== path
}
