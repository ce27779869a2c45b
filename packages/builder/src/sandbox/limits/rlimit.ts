/** Process limits: `--ulimit` and what takes the place of control groups where none is writable. */

import { hasCode } from '../../util/has-code.ts'
import { sandboxErrors } from '../errors.ts'
import type { Ulimit } from '../executor.ts'
import { check, raw } from '../native/libc.ts'

/** Linux numbers of the limits, by the names that docker accepts. */
const resources: ReadonlyMap<string, number> = new Map([
  ['cpu', 0],
  ['fsize', 1],
  ['data', 2],
  ['stack', 3],
  ['core', 4],
  ['rss', 5],
  ['nproc', 6],
  ['nofile', 7],
  ['memlock', 8],
  ['as', 9],
  ['locks', 10],
  ['sigpending', 11],
  ['msgqueue', 12],
  ['nice', 13],
  ['rtprio', 14],
  ['rttime', 15],
])

const UNLIMITED = 0xffffffffffffffffn

function encode(value: number): bigint {
  return value < 0 || !Number.isFinite(value) ? UNLIMITED : BigInt(value)
}

/** Throws BAD_LIMIT for names that do not exist and values that contradict each other. */
export function checkUlimits(limits: readonly Ulimit[]): void {
  for (const { name, soft, hard } of limits) {
    if (!resources.has(name)) throw sandboxErrors.badLimit([`invalid ulimit type: ${name}`])
    if (hard >= 0 && (soft < 0 || soft > hard))
      throw sandboxErrors.badLimit([
        `ulimit soft limit must be less than or equal to hard limit: ${name}=${soft}:${hard}`,
      ])
  }
}

const NOFILE = 7
/** What docker gives at most. */
const MAX_OPEN_FILES = 1_048_576n

/**
 * Lowers the soft limit of open files to what containers are used to: Node raises it to the hard one, and programs that
 * close all descriptors one by one take minutes where that is in the billions.
 */
export function tameOpenFiles(): void {
  const pair = Buffer.alloc(64)
  check(raw.getrlimit(NOFILE, pair), 'getrlimit')
  if (pair.readBigUInt64LE(0) <= MAX_OPEN_FILES) return
  pair.writeBigUInt64LE(MAX_OPEN_FILES, 0)
  check(raw.setrlimit(NOFILE, pair), 'setrlimit')
}

/** Sets limits of this process, which {@link checkUlimits} has passed; -1 is unlimited. Throws with the limit's name when the kernel refuses. */
export function setResourceLimits(limits: readonly Ulimit[]): void {
  for (const { name, soft, hard } of limits) {
    const resource = resources.get(name)
    if (resource === undefined) continue
    const pair = Buffer.alloc(64)
    pair.writeBigUInt64LE(encode(soft), 0)
    pair.writeBigUInt64LE(encode(hard), 8)
    try {
      check(raw.setrlimit(resource, pair), 'setrlimit')
    } catch (error) {
      if (hasCode(error, 'EPERM')) throw new Error(`ulimit ${name}=${soft}:${hard} is above what this machine permits`)
      throw new Error(`ulimit ${name}=${soft}:${hard}: ${error instanceof Error ? error.message : error}`)
    }
  }
}
