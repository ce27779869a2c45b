import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import { join } from 'node:path'
import { afterAll, describe } from 'vitest'
import { describeExecutor, describeFiles, describeHostile, describeMachine, type Traits } from './executor.contract.ts'
import { ownDriver, plainDriver, testUid, userDriver } from './testing/driver.ts'
import { busybox } from './testing/small-rootfs.ts'

const isRoot = process.getuid?.() === 0
const works = (command: string): boolean => {
  try {
    execFileSync('sh', ['-c', command], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
const namespaces = works('unshare -m true')
const userNamespaces = works(
  isRoot ? `setpriv --reuid=${testUid} --regid=${testUid} --clear-groups unshare -Um true` : 'unshare -Um true',
)
const idHelpers = works('command -v newuidmap newgidmap')

const directories: string[] = []
afterAll(() => {
  for (const directory of directories) execFileSync('rm', ['-rf', directory])
})

function directory(uid: number): string {
  const path = fs.mkdtempSync(join(os.tmpdir(), 'tsbuild-sandbox-'))
  fs.chmodSync(path, 0o755)
  if (uid !== 0) fs.chownSync(path, uid, uid)
  directories.push(path)
  return path
}

const limits =
  isRoot &&
  works(
    'd=$(echo /sys/fs/cgroup/memory /sys/fs/cgroup | cut -d" " -f1); mkdir $d/tsbuild-probe && rmdir $d/tsbuild-probe',
  )
const full: Traits = {
  isolated: true,
  initProcess: true,
  mounts: true,
  users: true,
  network: true,
  seccomp: true,
  execErrors: true,
  entersDirectory: true,
  limits,
  outbound: works('command -v pasta || command -v slirp4netns'),
  reportsOom: true,
  uid: 0,
}
/** An ordinary user's helper opens the tunnel device as that user. */
const userOutbound = full.outbound && (fs.statSync('/dev/net/tun', { throwIfNoEntry: false })?.mode ?? 0) % 8 === 6
const none: Traits = { ...full, isolated: false, network: false, outbound: false }
const select = { isolation: 'namespaces', ociRuntime: undefined } as const

describe.skipIf(busybox === undefined)('executors (need a static busybox)', () => {
  describe.skipIf(!isRoot || !namespaces)('as root (needs root and CAP_SYS_ADMIN)', () => {
    describeExecutor('namespaces', { select, traits: full, directory: () => directory(0), start: ownDriver })
    describe.skipIf(!works('command -v runc'))('(needs runc)', () => {
      describeExecutor('oci', {
        select: { isolation: 'oci', ociRuntime: 'runc' },
        traits: {
          ...full,
          initProcess: false,
          execErrors: false,
          entersDirectory: false,
          reportsOom: false,
          outbound: false,
        },
        directory: () => directory(0),
        start: ownDriver,
      })
    })
    describeExecutor('chroot', {
      select: { ...select, isolation: 'chroot' },
      traits: none,
      directory: () => directory(0),
      start: (root) => ownDriver(root, 'plain'),
    })
    describeExecutor('chroot without mounts', {
      select: { ...select, isolation: 'chroot' },
      traits: { ...none, mounts: false, seccomp: false, limits: false },
      directory: () => directory(0),
      start: (root) => plainDriver(root),
    })
  })

  describe.skipIf(!isRoot || !userNamespaces || !idHelpers)(
    'as a user with sub-ids (needs root to become one, user namespaces, newuidmap)',
    () => {
      describeExecutor('namespaces', {
        select,
        traits: { ...full, limits: false, outbound: userOutbound, uid: testUid },
        directory: () => directory(testUid),
        start: (root) => userDriver(root, 'subids'),
      })
      describeExecutor(
        'chroot',
        {
          select: { ...select, isolation: 'chroot' },
          traits: { ...none, uid: testUid },
          directory: () => directory(testUid),
          start: (root) => userDriver(root, 'subids'),
        },
        [describeFiles, describeMachine, describeHostile],
      )
      describe.skipIf(!works('command -v runc'))('(needs runc)', () => {
        describeExecutor(
          'oci',
          {
            select: { isolation: 'oci', ociRuntime: 'runc' },
            traits: { ...full, initProcess: false, uid: testUid },
            directory: () => directory(testUid),
            start: (root) => userDriver(root, 'subids'),
          },
          [describeMachine],
        )
      })
    },
  )

  describe.skipIf(!isRoot || !userNamespaces)(
    'as a user with one id (needs root to become one, user namespaces)',
    () => {
      describeExecutor('namespaces', {
        select,
        traits: { ...full, limits: false, outbound: userOutbound, users: false, uid: testUid },
        directory: () => directory(testUid),
        start: (root) => userDriver(root, 'single'),
      })
    },
  )
})
