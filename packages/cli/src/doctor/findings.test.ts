import type { Diagnosis } from '@tsbuild/builder'
import { describe, expect, it } from 'vitest'
import { type Finding, findings } from './findings.ts'

const yes = { ok: true, detail: 'fine' }
const no = { ok: false, detail: 'Operation not permitted' }

const machine: Diagnosis['machine'] = {
  kernel: '6.1',
  architecture: 'x64',
  user: { uid: 1000, name: 'ann' },
  container: false,
  mountNamespace: yes,
  userNamespace: yes,
  subordinateIds: { ok: true, detail: '65536 ids' },
  overlay: yes,
  cgroups: { ok: true, detail: 'v2: memory', version: 'v2', writable: ['memory'] },
  seccomp: { ok: true, detail: '' },
  chroot: no,
  runtimes: [],
  binfmt: ['python3', 'qemu-aarch64'],
  networkHelper: { ok: true, detail: '/usr/bin/pasta' },
  store: { ok: true, detail: 'ext4', path: '/s', fileSystem: 'ext4', freeBytes: 5e9 },
  hindrances: [],
}

const best: Diagnosis = {
  root: '/s',
  machine,
  runtimes: [],
  worker: 'subids',
  copies: undefined,
  reasons: [],
  level: 'namespaces',
  why: 'it works',
  raise: undefined,
}

function found(change: Partial<Diagnosis>, machineChange: Partial<Diagnosis['machine']> = {}): Record<string, Finding> {
  const all = findings({ ...best, ...change, machine: { ...machine, ...machineChange } })
  return Object.fromEntries(all.map((finding) => [finding.name, finding]))
}

describe('doctor', () => {
  it('has nothing to say about a machine that has everything', () => {
    expect(findings(best).filter(({ status }) => status !== 'ok')).toEqual([])
    expect(found({})['foreign platforms']?.found).toBe('aarch64')
    expect(found({}).store?.found).toBe('/s on ext4, 5.00GB free')
  })

  it.each<[string, Partial<Diagnosis>, Partial<Diagnosis['machine']>, Partial<Finding>]>([
    [
      'user',
      {},
      { user: { uid: 0, name: 'root' }, subordinateIds: no, container: true },
      { found: 'root, in a container' },
    ],
    ['user', {}, { subordinateIds: no }, { status: 'limited', advice: expect.stringContaining('usermod') }],
    ['user namespaces', {}, { userNamespace: no }, { status: 'missing', advice: 'run as root' }],
    [
      'user namespaces',
      {},
      { userNamespace: no, hindrances: [{ setting: 'a.b', value: '0', needed: '1' }] },
      { status: 'missing', advice: 'sudo sysctl -w a.b=1' },
    ],
    [
      'overlay',
      { worker: undefined },
      { overlay: no },
      { status: 'limited', found: expect.stringContaining('copies') },
    ],
    ['overlay', { copies: 'on an overlay' }, {}, { status: 'limited', found: 'on an overlay: snapshots are copies' }],
    ['overlay', {}, { overlay: no }, { status: 'ok' }],
    ['seccomp', {}, { seccomp: no }, { status: 'limited' }],
    [
      'cgroups',
      {},
      { cgroups: { ...no, version: 'v2', writable: [] } },
      { advice: expect.stringContaining('Delegate') },
    ],
    ['cgroups', {}, { cgroups: { ...no, version: 'hybrid', writable: [] } }, { advice: 'run as root' }],
    ['oci runtimes', {}, {}, { status: 'ok', found: expect.stringContaining('none') }],
    [
      'oci runtimes',
      { runtimes: [{ name: 'crun', version: 'crun version 1', ok: false, problem: 'no cgroups' }] },
      {},
      { status: 'limited', found: 'crun version 1: no cgroups' },
    ],
    ['isolated network', {}, { networkHelper: no }, { status: 'ok', found: expect.stringContaining('isolated') }],
    ['foreign platforms', {}, { binfmt: [] }, { found: expect.stringContaining('qemu-user-static') }],
    ['store', {}, { store: { ...machine.store, freeBytes: 5e6 } }, { status: 'limited' }],
    ['store', {}, { store: { ...machine.store, ok: false, detail: 'EACCES' } }, { status: 'missing' }],
    ['worker', { worker: 'single', reasons: ['no newuidmap'] }, {}, { status: 'limited' }],
    ['worker', { worker: undefined, level: 'none' }, {}, { status: 'missing', found: 'it works' }],
    ['isolation of RUN', { level: 'chroot', raise: 'do this' }, {}, { status: 'limited', advice: 'do this' }],
    ['isolation of RUN', { level: 'none', why: 'no' }, {}, { status: 'missing', found: 'RUN does not work: no' }],
  ])('%s with %j and %j', (name, change, machineChange, expected) =>
    expect(found(change, machineChange)[name]).toMatchObject(expected),
  )
})
