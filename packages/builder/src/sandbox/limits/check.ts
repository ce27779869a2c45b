/** Which limits make no sense, found before anything is run; in docker's words. */
import fs from 'node:fs'
import type { ResourceLimits } from '../executor.ts'

/** What this machine has, as the kernel lists it: `0-3,8`. */
export interface Available {
  /** undefined when it is not known. */
  readonly cpus: string | undefined
  readonly mems: string | undefined
}

/** The processors and memory nodes of this machine. */
export function available(): Available {
  return { cpus: read('/sys/devices/system/cpu/online'), mems: read('/sys/devices/system/node/online') }
}

/** With less, no process can be started; docker has the same bound. */
const MIN_MEMORY = 6 * 1024 * 1024

/** What runc takes, for whatever the kernel would make of others. */
const MIN_SHARES = 2
const MAX_SHARES = 262_144
/** What the kernel takes: as many processes as it can number, and microseconds that fit into its arithmetic. */
const MAX_PROCESSES = 4_194_304
const MAX_QUOTA = 2 ** 44 - 1

/** What is wrong with limits, undefined when nothing is. Zero stands for no limit, as in docker. */
export function limitProblem(limits: ResourceLimits, { cpus, mems }: Available): string | undefined {
  const {
    memory = 0,
    memorySwap = 0,
    cpuShares = 0,
    cpuPeriod = 0,
    cpuQuota = 0,
    pids = 0,
    cpusetCpus,
    cpusetMems,
  } = limits
  if (memory > 0 && memory < MIN_MEMORY) return 'Minimum memory limit allowed is 6MB'
  if (memorySwap > 0 && memory === 0) return 'you should always set the memory limit when using memory-swap'
  if (memorySwap > 0 && memorySwap < memory) return 'minimum memory-swap limit should be larger than memory limit'
  if (cpuShares !== 0 && cpuShares < MIN_SHARES) return `the minimum allowed cpu-shares is ${MIN_SHARES}`
  if (cpuShares > MAX_SHARES) return `the maximum allowed cpu-shares is ${MAX_SHARES}`
  if (pids > MAX_PROCESSES) return `the maximum allowed pids limit is ${MAX_PROCESSES}; -1 is no limit`
  if (cpuPeriod !== 0 && (cpuPeriod < 1000 || cpuPeriod > 1_000_000))
    return 'CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)'
  if (cpuQuota > 0 && cpuQuota < 1000) return 'CPU cfs quota can not be less than 1ms (i.e. 1000)'
  if (cpuQuota > MAX_QUOTA) return `CPU cfs quota can not be larger than ${MAX_QUOTA}; -1 is no limit`
  return (
    setProblem('CPUs', 'cpuset cpus', cpusetCpus, cpus) ?? setProblem('memory nodes', 'cpuset mems', cpusetMems, mems)
  )
}

function setProblem(
  things: string,
  name: string,
  wanted: string | undefined,
  present: string | undefined,
): string | undefined {
  if (wanted === undefined || wanted === '') return undefined
  const ranges = rangesOf(wanted)
  if (ranges === undefined) return `invalid value ${JSON.stringify(wanted)} for ${name}`
  const there = present === undefined ? undefined : rangesOf(present)
  const isThere = (range: Range): boolean => there === undefined || covers(there, range)
  if (ranges.every(isThere)) return undefined
  return `requested ${things} are not available - requested ${wanted}, available: ${present}`
}

type Range = readonly [first: number, last: number]

/** undefined for what is no list. */
function rangesOf(text: string): Range[] | undefined {
  const ranges: Range[] = []
  for (const part of text.split(',')) {
    const [, first, last] = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(part) ?? []
    if (first === undefined || Number(last ?? first) < Number(first)) return undefined
    ranges.push([Number(first), Number(last ?? first)])
  }
  return ranges
}

/** The kernel's lists join neighbours, so a range that is there is within one of theirs. */
function covers(ranges: readonly Range[], [first, last]: Range): boolean {
  return ranges.some(([low, high]) => low <= first && last <= high)
}

function read(path: string): string | undefined {
  try {
    return fs.readFileSync(path, 'latin1').trim() || undefined
  } catch {
    return undefined
  }
}
