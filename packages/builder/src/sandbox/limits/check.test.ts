import { expect, it } from 'vitest'
import { limitProblem } from './check.ts'

const machine = { cpus: '0-3,6', mems: '0' }

it.each([
  [{ memorySwap: 100 }, 'you should always set the memory limit when using memory-swap'],
  [{ memory: 1e8, memorySwap: 5e7 }, 'minimum memory-swap limit should be larger than memory limit'],
  [{ memory: 1 }, 'Minimum memory limit allowed is 6MB'],
  [{ cpuShares: 1 }, 'the minimum allowed cpu-shares is 2'],
  [{ cpuShares: 262_145 }, 'the maximum allowed cpu-shares is 262144'],
  [{ pids: 4_194_305 }, 'the maximum allowed pids limit is 4194304; -1 is no limit'],
  [{ cpuQuota: 2 ** 44 }, 'CPU cfs quota can not be larger than 17592186044415; -1 is no limit'],
  [{ cpuPeriod: 1 }, 'CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)'],
  [{ cpuPeriod: 1_000_001 }, 'CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)'],
  [{ cpuQuota: 999 }, 'CPU cfs quota can not be less than 1ms (i.e. 1000)'],
  [{ cpusetCpus: '99' }, 'requested CPUs are not available - requested 99, available: 0-3,6'],
  [{ cpusetCpus: '0,3-6' }, 'requested CPUs are not available - requested 0,3-6, available: 0-3,6'],
  [{ cpusetCpus: '3-1' }, 'invalid value "3-1" for cpuset cpus'],
  [{ cpusetMems: '1' }, 'requested memory nodes are not available - requested 1, available: 0'],
])('%j is refused', (limits, problem) => {
  expect(limitProblem(limits, machine)).toBe(problem)
})

it.each([
  {},
  { memory: 1e8, memorySwap: 1e8 },
  { memory: 1e8, memorySwap: -1 },
  { memorySwap: -1 },
  { memory: 6 * 2 ** 20, memorySwap: 0 },
  { cpuPeriod: 1000, cpuQuota: 1000 },
  { cpuPeriod: 1_000_000, cpuQuota: -1 },
  { cpuPeriod: 0, cpuQuota: 0, cpuShares: 0, pids: 0 },
  { cpuQuota: 2 ** 44 - 1, cpuShares: 2, pids: 4_194_304 },
  { cpusetCpus: '0-1,3,6', cpusetMems: '0' },
])('%j is taken', (limits) => {
  expect(limitProblem(limits, machine)).toBeUndefined()
})

it('takes any processor where the machine does not tell', () => {
  expect(limitProblem({ cpusetCpus: '99' }, { cpus: undefined, mems: undefined })).toBeUndefined()
})
