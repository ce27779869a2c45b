/** Sets process limits: `--ulimit`, and what every process has. */

import { hasCode } from '../../util/has-code.ts'
import { sandboxErrors } from '../errors.ts'
import type { Ulimit } from '../executor.ts'
import { check, raw } from '../native/libc.ts'
import { ULIMIT_NUMBERS, ulimitProblem } from './ulimits.ts'

const UNLIMITED = 0xffffffffffffffffn

function encode(value: number): bigint {
  return value < 0 || !Number.isFinite(value) ? UNLIMITED : BigInt(value)
}

/** Throws BAD_LIMIT for names that do not exist and values that no process can have. */
export function checkUlimits(limits: readonly Ulimit[]): void {
  const found = ulimitProblem(limits, new Map())
  if (found !== undefined) throw sandboxErrors.badLimit([found.problem])
}

const NOFILE = 7
/** What docker gives at most. */
const MAX_OPEN_FILES = 1_048_576n

/**
 * Lowers the soft limit of open files to what containers are used to: Node raises it to the hard one, and programs that
 * close all descriptors one by one take minutes where that is in the billions.
 */
export function tameOpenFiles(): void {
  const pair = currentLimit(NOFILE)
  if (pair.readBigUInt64LE(0) <= MAX_OPEN_FILES) return
  pair.writeBigUInt64LE(MAX_OPEN_FILES, 0)
  check(raw.setrlimit(NOFILE, pair), 'setrlimit')
}

/** The soft and the hard limit of this process. */
function currentLimit(number: number): Buffer {
  const pair = Buffer.alloc(64)
  check(raw.getrlimit(number, pair), 'getrlimit')
  return pair
}

/**
 * The part of setting limits that takes privileges, where they are still there: hard limits above those of this process.
 * {@link setResourceLimits} follows when nothing is left to do that the limits would keep this process from.
 *
 * Throws with the limit's name when the kernel refuses.
 */
export function raiseHardLimits(limits: readonly Ulimit[]): void {
  for (const limit of limits) {
    const number = ULIMIT_NUMBERS.get(limit.name)!
    const pair = currentLimit(number)
    if (encode(limit.hard) <= pair.readBigUInt64LE(8)) continue
    pair.writeBigUInt64LE(encode(limit.hard), 8)
    setLimit(limit, number, pair)
  }
}

/** Sets limits of this process, which {@link checkUlimits} has passed; -1 is unlimited. */
export function setResourceLimits(limits: readonly Ulimit[]): void {
  for (const limit of limits) {
    const pair = Buffer.alloc(64)
    pair.writeBigUInt64LE(encode(limit.soft), 0)
    pair.writeBigUInt64LE(encode(limit.hard), 8)
    setLimit(limit, ULIMIT_NUMBERS.get(limit.name)!, pair)
  }
}

function setLimit({ name, soft, hard }: Ulimit, number: number, pair: Buffer): void {
  try {
    check(raw.setrlimit(number, pair), 'setrlimit')
  } catch (error) {
    if (hasCode(error, 'EPERM')) throw new Error(`ulimit ${name}=${soft}:${hard} is above what this machine permits`)
    throw new Error(`ulimit ${name}=${soft}:${hard}: ${error instanceof Error ? error.message : error}`)
  }
}
