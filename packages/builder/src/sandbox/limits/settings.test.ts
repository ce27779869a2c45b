import { describe, expect, it } from 'vitest'
import { findPlaces } from './hierarchy.ts'
import { settingsOf } from './settings.ts'

describe('settings', () => {
  const all = {
    memory: 1000,
    cpuShares: 512,
    cpuPeriod: 50_000,
    cpuQuota: 25_000,
    cpusetCpus: '0-1',
    cpusetMems: '0',
    pids: 7,
  }

  it('of version 1', () => {
    expect(Object.fromEntries(settingsOf({ ...all, memorySwap: 3000 }, 1))).toEqual({
      memory: [
        ['memory.limit_in_bytes', '1000'],
        ['memory.memsw.limit_in_bytes', '3000'],
      ],
      cpu: [
        ['cpu.shares', '512'],
        ['cpu.cfs_period_us', '50000'],
        ['cpu.cfs_quota_us', '25000'],
      ],
      cpuset: [
        ['cpuset.cpus', '0-1'],
        ['cpuset.mems', '0'],
      ],
      pids: [['pids.max', '7']],
    })
  })

  it('of version 2', () => {
    expect(Object.fromEntries(settingsOf({ ...all, memorySwap: 3000 }, 2))).toEqual({
      memory: [
        ['memory.max', '1000'],
        ['memory.swap.max', '2000'],
      ],
      cpu: [
        ['cpu.weight', '20'],
        ['cpu.max', '25000 50000'],
      ],
      cpuset: [
        ['cpuset.cpus', '0-1'],
        ['cpuset.mems', '0'],
      ],
      pids: [['pids.max', '7']],
    })
  })

  it.each([
    [{ memory: 1000 }, 'memory.swap.max', '1000'],
    [{ memory: 1000, memorySwap: -1 }, 'memory.swap.max', 'max'],
    [{ memory: 1000, memorySwap: 1000 }, 'memory.swap.max', '0'],
    [{ cpuPeriod: 5000 }, 'cpu.max', 'max 5000'],
    [{ cpuQuota: -1 }, 'cpu.max', 'max 100000'],
    [{ cpuShares: 2 }, 'cpu.weight', '1'],
    [{ cpuShares: 262_144 }, 'cpu.weight', '10000'],
    [{ pids: -1 }, 'pids.max', 'max'],
  ])('%j write %s', (limits, file, value) => {
    expect([...settingsOf(limits, 2).values()].flat()).toContainEqual([file, value])
  })

  it('are none without limits', () => {
    for (const none of [{}, { memory: 0, memorySwap: 0, cpuShares: 0, cpuPeriod: 0, cpuQuota: 0, pids: 0 }])
      expect(settingsOf(none, 1).size + settingsOf(none, 2).size).toBe(0)
  })
})

describe('places', () => {
  const v2 = '30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n'
  const v1 =
    '31 30 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n32 30 0:31 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n'

  it('of version 2', () => {
    const places = findPlaces('0::/user.slice/build.scope\n', v2)
    expect(places.get('memory')).toEqual({
      version: 2,
      mount: '/sys/fs/cgroup',
      own: '/sys/fs/cgroup/user.slice/build.scope',
    })
    expect([...places.keys()].sort()).toEqual(['cpu', 'cpuset', 'memory', 'pids'])
  })

  it('of both versions: the first has its controllers', () => {
    const places = findPlaces(
      '4:memory:/a\n3:cpu,cpuacct:/\n0::/b\n',
      v1 + v2.replace('/sys/fs/cgroup ', '/sys/fs/cgroup/unified '),
    )
    expect(places.get('memory')).toEqual({ version: 1, mount: '/sys/fs/cgroup/memory', own: '/sys/fs/cgroup/memory/a' })
    expect(places.get('cpu')).toMatchObject({ version: 1, own: '/sys/fs/cgroup/cpu,cpuacct' })
    expect(places.get('pids')).toMatchObject({ version: 2, own: '/sys/fs/cgroup/unified/b' })
  })

  it('in a container that sees a part of the tree', () => {
    const part = '30 23 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n'
    expect(findPlaces('0::/docker/abc/x\n', part).get('pids')?.own).toBe('/sys/fs/cgroup/x')
    expect(findPlaces('0::/docker/abc\n', part).get('pids')?.own).toBe('/sys/fs/cgroup')
  })

  it('are none without control groups', () => {
    expect(findPlaces('', '').size).toBe(0)
  })
})
