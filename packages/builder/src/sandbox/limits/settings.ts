/** What has to be written into which file for a limit, in both versions of control groups. */
import type { ResourceLimits } from '../executor.ts'
import type { Controller } from './hierarchy.ts'

/** A file of a group and its content. */
export type Setting = readonly [file: string, value: string]

/** The limits that there are: zero is none, as in docker. */
export function effectiveLimits(limits: ResourceLimits): ResourceLimits {
  return Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined && value !== 0))
}

/** The controllers that limits need, with their settings; in the order in which they must be written. */
export function settingsOf(limits: ResourceLimits, version: 1 | 2): Map<Controller, Setting[]> {
  const settings = new Map<Controller, Setting[]>()
  const add = (controller: Controller, file: string, value: string): void => {
    settings.set(controller, [...(settings.get(controller) ?? []), [`${controller}.${file}`, value]])
  }
  const { memory, memorySwap, cpuShares, cpuPeriod, cpuQuota, cpusetCpus, cpusetMems, pids } = effectiveLimits(limits)
  // docker's rule: without a word about swap, as much of it as memory.
  const total = memory === undefined ? memorySwap : (memorySwap ?? memory * 2)
  if (version === 1) {
    if (memory !== undefined) add('memory', 'limit_in_bytes', String(memory))
    if (total !== undefined) add('memory', 'memsw.limit_in_bytes', String(total))
    if (cpuShares !== undefined) add('cpu', 'shares', String(cpuShares))
    if (cpuPeriod !== undefined) add('cpu', 'cfs_period_us', String(cpuPeriod))
    if (cpuQuota !== undefined) add('cpu', 'cfs_quota_us', String(cpuQuota))
  } else {
    if (memory !== undefined) add('memory', 'max', String(memory))
    if (total !== undefined) add('memory', 'swap.max', total < 0 ? 'max' : String(Math.max(0, total - (memory ?? 0))))
    if (cpuShares !== undefined) add('cpu', 'weight', String(weightOf(cpuShares)))
    if (cpuQuota !== undefined || cpuPeriod !== undefined)
      add('cpu', 'max', `${cpuQuota === undefined || cpuQuota < 0 ? 'max' : cpuQuota} ${cpuPeriod ?? 100_000}`)
  }
  if (cpusetCpus !== undefined) add('cpuset', 'cpus', cpusetCpus)
  if (cpusetMems !== undefined) add('cpuset', 'mems', cpusetMems)
  if (pids !== undefined) add('pids', 'max', pids < 0 ? 'max' : String(pids))
  return settings
}

/** Shares (2 to 262144) to weight (1 to 10000), as every runtime converts them. */
function weightOf(shares: number): number {
  return Math.floor(1 + ((shares - 2) * 9999) / 262_142)
}
