import { describe, expect, it } from 'vitest'
import { CHECKS, checkStore, type Finding } from './checks.ts'
import { isolationFindings } from './isolation.ts'
import type { Machine } from './machine.ts'

interface Facts {
  readonly uid?: number
  readonly files?: Readonly<Record<string, string>>
  readonly programs?: readonly string[]
  readonly writable?: readonly string[]
  readonly fileSystem?: { readonly type: number; readonly free: number }
}

const machine = ({ uid = 1000, files = {}, programs = [], writable = [], fileSystem }: Facts): Machine => ({
  read: (path) => files[path],
  list: (path) =>
    Object.keys(files).flatMap((file) => (file.startsWith(`${path}/`) ? [file.slice(path.length + 1)] : [])),
  writable: (path) => writable.includes(path),
  find: (program) => (programs.includes(program) ? `/usr/bin/${program}` : undefined),
  fileSystem: () => fileSystem,
  uid,
  user: 'ann',
})

const findings = (facts: Facts): Record<string, Finding> =>
  Object.fromEntries(CHECKS.map((check) => check(machine(facts))).map((finding) => [finding.name, finding]))

const SUBIDS = { '/etc/subuid': 'bob:1:2\nann:100000:65536\n', '/etc/subgid': '1000:100000:65536\n' }
const HELPERS = ['newuidmap', 'newgidmap']

describe('doctor', () => {
  it.each<[string, Facts, Partial<Finding>]>([
    ['user', { uid: 0 }, { status: 'ok', found: 'root' }],
    ['user', { files: SUBIDS, programs: HELPERS }, { status: 'ok', found: 'ann (1000) with sub-ids 100000:65536' }],
    ['user', { files: SUBIDS }, { status: 'limited', advice: 'apt-get install uidmap' }],
    ['user', { programs: HELPERS }, { status: 'limited', advice: expect.stringMatching(/usermod .* ann$/) }],
    ['user namespaces', { uid: 0, files: { '/proc/sys/user/max_user_namespaces': '0' } }, { status: 'ok' }],
    ['user namespaces', { files: { '/proc/sys/user/max_user_namespaces': '0\n' } }, { status: 'missing' }],
    ['user namespaces', { files: { '/proc/sys/kernel/unprivileged_userns_clone': '0\n' } }, { status: 'missing' }],
    [
      'user namespaces',
      { files: { '/proc/sys/kernel/apparmor_restrict_unprivileged_userns': '1\n' } },
      { status: 'missing' },
    ],
    ['user namespaces', {}, { status: 'ok' }],
    ['unshare', {}, { status: 'missing' }],
    ['unshare', { programs: ['unshare'] }, { status: 'ok', found: '/usr/bin/unshare' }],
    ['overlay', { files: { '/proc/filesystems': 'nodev\tproc\nnodev\toverlay\n' } }, { status: 'ok' }],
    ['overlay', { files: { '/proc/filesystems': 'nodev\toverlayfs2\n' } }, { status: 'limited' }],
    ['seccomp', { files: { '/proc/self/status': 'Name:\tx\nSeccomp:\t0\n' } }, { status: 'ok' }],
    ['seccomp', {}, { status: 'limited' }],
    [
      'cgroups',
      {
        files: { '/sys/fs/cgroup/cgroup.controllers': 'cpu memory\n', '/proc/self/cgroup': '0::/user\n' },
        writable: ['/sys/fs/cgroup/user'],
      },
      { status: 'ok', found: 'v2: cpu memory' },
    ],
    ['cgroups', { files: { '/sys/fs/cgroup/cgroup.controllers': 'cpu' } }, { status: 'limited' }],
    ['cgroups', { writable: ['/sys/fs/cgroup/pids'] }, { status: 'ok', found: 'v1: pids' }],
    ['cgroups', {}, { status: 'limited' }],
    ['oci runtimes', { programs: ['crun'] }, { found: 'crun' }],
    ['isolated network', {}, { status: 'ok', found: expect.stringContaining('pasta or slirp4netns') }],
    [
      'foreign platforms',
      {
        files: {
          '/proc/sys/fs/binfmt_misc/qemu-aarch64': 'enabled\n',
          '/proc/sys/fs/binfmt_misc/qemu-arm': 'disabled\n',
          '/proc/sys/fs/binfmt_misc/status': 'enabled\n',
        },
      },
      { found: 'aarch64' },
    ],
  ])('%s of %j', (name, facts, expected) => expect(findings(facts)[name]).toMatchObject(expected))

  it.each<[{ type: number; free: number } | undefined, string, RegExp]>([
    [{ type: 0xef53, free: 5e9 }, 'ok', /ext4, 5\.00GB free/],
    [{ type: 0xef53, free: 5e6 }, 'limited', /5\.00MB free/],
    [{ type: 0x794c7630, free: 5e9 }, 'limited', /overlay/],
    [{ type: 0x1234, free: 5e9 }, 'ok', /file system 1234/],
    [undefined, 'missing', /\/root cannot/],
  ])('store on %j', (fileSystem, status, found) => {
    const result = checkStore(machine(fileSystem ? { fileSystem } : {}), '/root')
    expect(result).toMatchObject({ status, found: expect.stringMatching(found) })
    expect(result.advice === undefined).toBe(status === 'ok')
  })

  it('says what the attempt came to', () => {
    const report = { root: '/r', worker: 'root', reasons: [], limits: undefined, error: undefined } as const
    const statuses = (change: object) => isolationFindings({ ...report, ...change }).map(({ status }) => status)
    expect(statuses({})).toEqual(['ok', 'ok'])
    expect(statuses({ worker: 'single', reasons: ['no newuidmap'] })).toEqual(['limited', 'ok'])
    expect(statuses({ limits: 'chroot only' })).toEqual(['ok', 'limited'])
    expect(statuses({ error: 'no' })).toEqual(['ok', 'missing'])
    expect(statuses({ worker: undefined, error: 'no' })).toEqual(['missing'])
  })
})
