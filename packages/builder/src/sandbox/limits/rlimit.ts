/** Process limits: `--ulimit` and what takes the place of control groups where none is writable. */

import type { Ulimit } from '../executor.ts'
import { check, hasCode, raw } from '../native/libc.ts'

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

/** Names that `--ulimit` takes. */
export const ulimitNames: readonly string[] = [...resources.keys()]

const UNLIMITED = 0xffffffffffffffffn

function encode(value: number): bigint {
  return value < 0 || !Number.isFinite(value) ? UNLIMITED : BigInt(value)
}

/** Sets limits of this process; -1 is unlimited. Throws with the limit's name when the kernel refuses. */
export function setResourceLimits(limits: readonly Ulimit[]): void {
  for (const { name, soft, hard } of limits) {
    const resource = resources.get(name)
    if (resource === undefined) throw new Error(`invalid ulimit type: ${name}`)
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
