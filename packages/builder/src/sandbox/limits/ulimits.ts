/** Which process limits make no sense, or not on this machine, found before anything is run; in docker's words. */
import fs from 'node:fs'
import { parseCapabilitySet } from '../../util/capability-set.ts'
import { suggest } from '../../util/suggest.ts'
import type { Ulimit } from '../executor.ts'

/** The names that docker takes, each at the place of its Linux number; the hole is `as`, which docker leaves out, too. */
const NAMES = [
  ...['cpu', 'fsize', 'data', 'stack', 'core', 'rss', 'nproc', 'nofile', 'memlock', undefined],
  ...['locks', 'sigpending', 'msgqueue', 'nice', 'rtprio', 'rttime'],
] as const

/** Linux numbers of the limits by name. */
export const ULIMIT_NUMBERS: ReadonlyMap<string, number> = new Map(
  NAMES.flatMap((name, number) => (name === undefined ? [] : [[name, number]])),
)

/** The highest hard limits that a process of this machine may be given, by number; what is missing has no bound. */
export type Ceilings = ReadonlyMap<number, number>

/** With fewer, an OCI runtime cannot load its filter of system calls. */
const MIN_OPEN_FILES = 16

const NOFILE = 7
const CAP_SYS_RESOURCE = 1n << 24n

/** What is wrong with limits, undefined when nothing is; -1 is unlimited. */
export function ulimitProblem(
  limits: readonly Ulimit[],
  ceilings: Ceilings,
): { readonly problem: string; readonly hint?: string } | undefined {
  for (const { name, soft, hard } of limits) {
    const number = ULIMIT_NUMBERS.get(name)
    if (number === undefined) {
      const close = suggest(name, [...ULIMIT_NUMBERS.keys()])
      return { problem: `invalid ulimit type: ${name}`, ...(close && { hint: `did you mean ${close}?` }) }
    }
    const written = `${name}=${soft}:${hard}`
    if (hard >= 0 && (soft < 0 || soft > hard))
      return { problem: `ulimit soft limit must be less than or equal to hard limit: ${soft} > ${hard}` }
    if (name === 'nofile' && soft >= 0 && soft < MIN_OPEN_FILES)
      return { problem: `ulimit ${written}: no process can be started with fewer than ${MIN_OPEN_FILES} open files` }
    if (name === 'cpu' && soft === 0) return { problem: `ulimit ${written}: no process can run without any CPU time` }
    const ceiling = ceilings.get(number)
    if (ceiling !== undefined && (hard < 0 || hard > ceiling))
      return {
        problem: `ulimit ${written} is above what this machine permits`,
        hint: `its hard limit can be ${ceiling} at most`,
      }
  }
  return undefined
}

/** What this process may set, which is what the processes that it starts may. */
export function ulimitCeilings(): Ceilings {
  const capabilities = parseCapabilitySet(read('/proc/self/status'), 'CapEff')
  // The right counts in the machine's own user namespace only.
  const everybody = /^\s*0\s+0\s+4294967295\s*$/.test(read('/proc/self/uid_map'))
  const files = Number.parseInt(read('/proc/sys/fs/nr_open'), 10)
  if (everybody && (capabilities & CAP_SYS_RESOURCE) !== 0n)
    return new Map(Number.isNaN(files) ? [] : [[NOFILE, files]])
  return new Map(hardLimits(read('/proc/self/limits')))
}

/** The kernel lists limits in the order of their numbers, below a heading. */
export function hardLimits(listed: string): [number: number, limit: number][] {
  const [, ...lines] = listed.split('\n')
  return lines.flatMap((line, number): [number, number][] => {
    const hard = /^\S.*?\s{2,}\S+\s+(\d+)(?:\s|$)/.exec(line)?.[1]
    return hard === undefined ? [] : [[number, Number(hard)]]
  })
}

function read(path: string): string {
  try {
    return fs.readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}
