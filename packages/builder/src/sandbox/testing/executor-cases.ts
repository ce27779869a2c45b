/** What the executors' contract is told of the machine and of whoever runs a process; shared by the files that run it. */
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import { join } from 'node:path'
import { afterAll, describe } from 'vitest'
import type { Traits } from '../executor.contract.ts'
import { testUid } from './driver.ts'
import { busybox } from './small-rootfs.ts'

export const isRoot = process.getuid?.() === 0
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

/** A directory for one executor, deleted after the tests. */
export function directory(uid: number): string {
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
export const full: Traits = {
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
export const userOutbound =
  full.outbound && (fs.statSync('/dev/net/tun', { throwIfNoEntry: false })?.mode ?? 0) % 8 === 6
export const none: Traits = { ...full, isolated: false, network: false, outbound: false }
export const select = { isolation: 'namespaces', ociRuntime: undefined } as const

/** Groups of the contract's runs, by what they need. */
export function describeAsRoot(run: () => void): void {
  describe.skipIf(busybox === undefined)('executors (need a static busybox)', () => {
    describe.skipIf(!isRoot || !namespaces)('as root (needs root and CAP_SYS_ADMIN)', run)
  })
}

export function describeAsUser(kind: 'subids' | 'single', run: () => void): void {
  const [who, needs] =
    kind === 'subids'
      ? ['sub-ids', 'needs root to become one, user namespaces, newuidmap']
      : ['one id', 'needs root to become one, user namespaces']
  describe.skipIf(busybox === undefined)('executors (need a static busybox)', () => {
    describe.skipIf(!isRoot || !userNamespaces || (kind === 'subids' && !idHelpers))(
      `as a user with ${who} (${needs})`,
      run,
    )
  })
}

export function describeWithRunc(run: () => void): void {
  describe.skipIf(!works('command -v runc'))('(needs runc)', run)
}
