/** Descriptor 0 of a process that nobody feeds. */
import fs from 'node:fs'
import { pipe } from '../native/descriptors.ts'
import { raw } from '../native/libc.ts'

const NULL_DEVICE = 0x103

/**
 * Takes the machine's null device from a process that got it as its input: who may write its inode could change its mode,
 * owner and times through the descriptor. It becomes the null device of the root that this process has entered by now,
 * or a pipe that has ended where there is none.
 */
export function takeOwnNull(): void {
  if (!isNull(fs.fstatSync(0))) return
  const found = fs.statSync('/dev/null', { throwIfNoEntry: false })
  let input: number
  if (found !== undefined && isNull(found)) input = fs.openSync('/dev/null', 'r')
  else {
    const [reader, writer] = pipe()
    fs.closeSync(writer)
    input = reader
  }
  raw.dup2(input, 0)
  fs.closeSync(input)
}

function isNull(stat: fs.Stats): boolean {
  return stat.isCharacterDevice() && stat.rdev === NULL_DEVICE
}
