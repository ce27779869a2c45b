/**
 * What a process may make of files, in comparison with the machine's root: what it makes without a right is not what others
 * would have made, so results are told apart by it.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { parseCapabilitySet } from './capability-set.ts'

/** Capabilities that decide which owners, modes, devices and attributes files can get, by number (capability.h). */
const FOR_FILES: ReadonlyMap<string, bigint> = new Map([
  ['CHOWN', 0n],
  ['DAC_OVERRIDE', 1n],
  ['FOWNER', 3n],
  ['FSETID', 4n],
  ['MKNOD', 27n],
  ['SETFCAP', 31n],
])

const EVERY_ID = '0 0 4294967295'

/** Names of the capabilities for files that this process does not have, comma-separated; '' where it has all. */
export function missingCapabilities(): string {
  const status = read('status')
  if (status === '') return ''
  const set = parseCapabilitySet(status, 'CapEff')
  return [...FOR_FILES].flatMap(([name, bit]) => ((set >> bit) & 1n ? [] : [name])).join()
}

/**
 * Names the ids and rights that this process has for files; undefined for all rights over the machine's own ids. The ids
 * are those of its user namespace: on disk is what they are outside.
 */
export function fileRights(): string | undefined {
  const maps = ['uid_map', 'gid_map'].map((file) => read(file).trim().split(/\s+/).join(' ') || EVERY_ID)
  const missing = missingCapabilities()
  if (missing === '' && maps.every((map) => map === EVERY_ID)) return undefined
  return createHash('sha256')
    .update([...maps, missing].join('\n'))
    .digest('hex')
    .slice(0, 16)
}

/** '' where there is no such file, as on other systems. */
function read(file: string): string {
  try {
    return readFileSync(`/proc/self/${file}`, 'latin1')
  } catch {
    return ''
  }
}
