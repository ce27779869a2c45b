import { accessSync, constants, readFileSync, statSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { pathsBelow, processesOf } from '../support/leftovers.ts'
import type { Finished } from '../support/process.ts'
import { gate, isRoot } from '../support/tools.ts'
import { type UserWorkspace, userCases } from '../support/users.ts'

/** Controllers of version 1 in which this process may make groups: what the limits below need. */
function writable(controller: string): boolean {
  try {
    const own = new RegExp(`^\\d+:(?:[^:]*,)?${controller}(?:,[^:]*)?:(.*)$`, 'm')
    const path = own.exec(readFileSync('/proc/self/cgroup', 'latin1'))?.[1]
    if (path === undefined) return false
    accessSync(`/sys/fs/cgroup/${controller}${path}`, constants.W_OK)
    return true
  } catch {
    return false
  }
}

/** The device that pasta works with, and whether others than root may use it. */
function tunnelDevice(ordinary: boolean): boolean {
  const mode = statSync('/dev/net/tun', { throwIfNoEntry: false })?.mode
  return mode !== undefined && (!ordinary || (mode & 0o006) === 0o006)
}

const base = () => `FROM ${inject('registry')}/busybox\n`

describe.each(userCases('docker-registry', 'busybox'))('limits of RUN, $title', ({ skip, open, ordinary }) => {
  let opened: UserWorkspace
  beforeAll(async () => {
    if (!skip) opened = await open()
  })
  afterAll(() => opened?.[Symbol.asyncDispose]())

  async function build(run: string, ...flags: string[]): Promise<Finished> {
    const { place, options } = opened
    const context = await place.files({ Dockerfile: `${base()}RUN ${run}\n` })
    return await place.run(['--progress=plain', ...flags, context], options)
  }
  /** What the RUN prints. */
  const printed = ({ stderr }: Finished): string[] =>
    [...stderr.matchAll(/^#\d+ [\d.]+ (.*)$/gm)].map((match) => match[1]!)

  it.skipIf(skip)('--ulimit and --shm-size', async () => {
    const run = 'ulimit -Sn; ulimit -Hn; df -k /dev/shm | tail -n 1 | tr -s " " | cut -d " " -f 2'
    const result = await build(run, '--ulimit', 'nofile=100:200', '--shm-size', '20m')
    expect(printed(result)).toEqual(['100', '200', '20480'])
    const refused = await build('true', '--ulimit', 'nofile=5:4')
    expect(refused.code).toBe(2)
  })

  it.skipIf(skip)('--run-timeout ends a RUN with all it has started', async () => {
    const result = await build('sleep 1000.5 & echo started; sleep 1000.5', '--run-timeout', '700ms')
    expect(result.code).toBe(1)
    expect(result.stderr).toMatch(/^ERROR: .* did not complete within 0\.7 s$/m)
    expect(result.stderr).toMatch(/^hint: --run-timeout /m)
    expect(processesOf(opened.place.root, 'sleep 1000.5')).toEqual([])
    expect(pathsBelow(`${opened.place.root}/tmp`)).toEqual([])
  })

  it.skipIf(skip)('--run-retries tries again, each time on a clean root filesystem', async () => {
    const count = '--mount=type=cache,target=/count,mode=0777 echo x >> /count/n; test ! -e /dirty && touch /dirty'
    const run = `${count} && echo attempt && test $(wc -l < /count/n) -ge 3`
    const enough = await build(run, '--run-retries', '2')
    expect(enough.code).toBe(0)
    expect(printed(enough).filter((line) => line === 'attempt')).toHaveLength(3)
    expect(enough.stderr).toMatch(/attempt 2 of 3 failed with exit code 1; trying again from a clean snapshot/)
    const short = await build(`--mount=type=cache,target=/other echo attempt && exit 4`, '--run-retries', '1')
    expect(short.code).toBe(1)
    expect(printed(short).filter((line) => line === 'attempt')).toHaveLength(2)
    expect(short.stderr).toMatch(/^ERROR: .*exit code: 4$/m)
  })

  it.skipIf(skip)('--network none has loopback only', async () => {
    expect(printed(await build('ip -o link | cut -d: -f2', '--network', 'none'))).toEqual([' lo'])
  })

  const helper = gate('pasta')
  const device = tunnelDevice(ordinary)
  const lacking = helper.note || (device ? '' : ' (skipped: needs /dev/net/tun)')
  it.skipIf(skip || helper.skip || !device)(
    `--network isolated has an address of its own, and no loopback of the machine's${lacking}`,
    async () => {
      const { hostname, port } = new URL(`http://${inject('registry')}`)
      const run = `ip -o addr show scope global | wc -l; nc -w 3 ${hostname} ${port} </dev/null 2>&1 && echo reached`
      const lines = printed(await build(`${run}; true`, '--network', 'isolated'))
      expect(Number(lines[0])).toBeGreaterThan(0)
      expect(lines.at(-1)).toMatch(/refused$/)
    },
  )

  const limits = !ordinary && isRoot && ['memory', 'pids', 'cpu'].every(writable)
  const note = limits ? '' : ' (skipped: needs root and writable cgroup v1 controllers)'
  it.skipIf(skip || !limits)(`--resource memory names the out-of-memory killer and the peak${note}`, async () => {
    const result = await build('head -c 100m /dev/zero | tail > /dev/null', '--resource', 'memory=30m,memory-swap=30m')
    expect(result.code).toBe(1)
    expect(result.stderr).toMatch(/^ERROR: .*exit code: 137: killed by the out-of-memory killer at (29|30) MiB$/m)
    expect(result.stderr).toMatch(/^hint: --resource memory=/m)
    const { place, options } = opened
    const image = `${inject('registry')}/busybox`
    const script = 'head -c 100m /dev/zero | tail > /dev/null'
    const ran = await place.run(['run', '-q', '-m', '30m', image, 'sh', '-c', script], options)
    expect(ran.code).toBe(137)
    expect(ran.stderr).toMatch(/killed by the out-of-memory killer at 3\d\.\dMB/)
  })

  it.skipIf(skip || !limits)(`--resource pids and --cgroup-parent${note}`, async () => {
    const many = 'i=0; while [ $i -lt 30 ]; do sleep 3 & i=$((i+1)); done; wait'
    const result = await build(many, '--resource', 'pids=10', '--cgroup-parent', '/tsbuild-test-parent')
    expect(result.code).toBe(1)
    expect(result.stderr).toMatch(/can't fork/)
    expect(pathsBelow('/sys/fs/cgroup/pids/tsbuild-test-parent', (path) => path.includes('tsbuild-run'))).toEqual([])
  })

  it.skipIf(skip || !ordinary)('--resource memory says that it cannot be done without a cgroup', async () => {
    const result = await build('true', '--resource', 'memory=100m')
    // A user session may have delegated groups.
    if (result.code !== 0) expect(result.stderr).toMatch(/^ERROR: .*cannot limit memory.*no writable control group$/m)
  })
})
