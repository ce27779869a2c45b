/** Looks at the machine, by trying things out where looking would guess. Starts nothing that stays; needs no worker. */
import { execFile } from 'node:child_process'
import fs from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, statfs } from 'node:fs/promises'
import os from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { parseCapabilitySet } from '../../util/capability-set.ts'
import { makeDirectorySync } from '../../util/make-directory.ts'
import { findRuntime, runtimeNames } from '../executors/oci-runtime.ts'
import { findPlaces } from '../limits/hierarchy.ts'
import { hasCapability } from '../native/capabilities.ts'
import { subordinateRanges, usefulCount } from '../worker/id-map.ts'
import type { Fact, MachineReport } from './facts.ts'

export interface ProbeOptions {
  /** State directory: overlay is tried there. */
  readonly root: string
  readonly env: Readonly<Record<string, string | undefined>>
  readonly signal?: AbortSignal
}

type Run = (file: string, ...args: string[]) => Promise<Fact>

/** Everything that decides how RUN works on this machine. */
export async function probeMachine({ root, env, signal }: ProbeOptions): Promise<MachineReport> {
  const run: Run = async (file, ...args) => {
    try {
      const options = { timeout: 10_000, env: { PATH: env.PATH }, ...(signal ? { signal } : {}) }
      const { stdout } = await promisify(execFile)(file, args, options)
      return { ok: true, detail: stdout.trim().split('\n')[0] ?? '' }
    } catch (error) {
      const text = (error as { stderr?: string }).stderr?.trim() || (error as Error).message
      return { ok: false, detail: text.split('\n')[0]! }
    }
  }
  const uid = process.getuid?.() ?? -1
  const [mountNamespace, userNamespace, ids, cgroups, store, runtimes, binfmt, pasta] = await Promise.all([
    // Itself, since a container may have no other program.
    run('unshare', '-m', 'unshare', '--version'),
    run('unshare', '-U', '-m', 'unshare', '--version'),
    subordinateRanges(env),
    probeControlGroups(),
    probeStore(root),
    Promise.all(runtimeNames.map((name) => probeVersion(name, env, run))),
    readdir('/proc/sys/fs/binfmt_misc').catch(() => []),
    Promise.all(['pasta', 'slirp4netns'].map((name) => findRuntime(name, env.PATH))),
  ])
  const status = await readFile('/proc/self/status', 'latin1').catch(() => '')
  const helper = pasta.find((path) => path !== undefined)
  return {
    kernel: os.release(),
    architecture: process.arch,
    user: { uid, name: nameOf(uid) },
    container: isContainer(env),
    mountNamespace,
    userNamespace,
    subordinateIds: describeIds(ids),
    overlay: await probeOverlay(root, uid, run),
    cgroups,
    seccomp: {
      ok: /^Seccomp:/m.test(status),
      detail: /^Seccomp:\s*2/m.test(status) ? 'this process is filtered itself' : '',
    },
    chroot: probeChroot(status),
    runtimes: runtimes.filter((runtime) => runtime !== undefined),
    binfmt: binfmt.filter((name) => name !== 'register' && name !== 'status').sort(),
    networkHelper: describeHelper(helper),
    store,
    hindrances: await probeHindrances(),
  }
}

/** Docker and podman leave a file, Kubernetes tells its services; without either, the root of a container is an overlay. */
function isContainer(env: ProbeOptions['env']): boolean {
  if (['/.dockerenv', '/run/.containerenv'].some((path) => fs.existsSync(path))) return true
  if (env.KUBERNETES_SERVICE_HOST !== undefined) return true
  return fileSystemOf('/') === 'overlay'
}

function fileSystemOf(path: string): string | undefined {
  try {
    return fileSystems.get(fs.statfsSync(path).type)
  } catch {
    return undefined
  }
}

/** By the capability, as the worker decides: there need not be a program that tries it. */
function probeChroot(status: string): Fact {
  if (hasCapability(parseCapabilitySet(status, 'CapEff'), 'SYS_CHROOT')) return { ok: true, detail: '' }
  return { ok: false, detail: 'this process has no CAP_SYS_CHROOT' }
}

function nameOf(uid: number): string {
  try {
    return os.userInfo().username
  } catch {
    return String(uid)
  }
}

function describeIds(ids: Awaited<ReturnType<typeof subordinateRanges>>): Fact {
  if (ids === undefined)
    return { ok: false, detail: 'no ranges in /etc/subuid and /etc/subgid, or no newuidmap and newgidmap' }
  const count = Math.min(...[ids.uids, ids.gids].map((ranges) => ranges.reduce((sum, range) => sum + range.count, 0)))
  return { ok: count >= usefulCount, detail: `${count} ids` }
}

/** A program that connects namespaces, and the device it does it with. */
function describeHelper(path: string | undefined): Fact {
  if (path === undefined) return { ok: false, detail: 'neither pasta nor slirp4netns is installed' }
  const device = '/dev/net/tun'
  try {
    fs.accessSync(device, fs.constants.R_OK | fs.constants.W_OK)
    return { ok: true, detail: path }
  } catch {
    return { ok: false, detail: `${path} is installed, but ${device} may not be opened` }
  }
}

async function probeVersion(
  name: string,
  env: ProbeOptions['env'],
  run: Run,
): Promise<(Fact & { name: string }) | undefined> {
  const path = await findRuntime(name, env.PATH)
  return path === undefined ? undefined : { name, ...(await run(path, '--version')) }
}

async function probeOverlay(root: string, uid: number, run: Run): Promise<Fact> {
  let directory: string
  try {
    makeDirectorySync(root, 0o700)
    directory = await mkdtemp(join(root, 'probe-'))
  } catch (error) {
    return { ok: false, detail: (error as Error).message }
  }
  try {
    for (const name of ['l', 'u', 'w', 'm']) await mkdir(join(directory, name))
    const options = `lowerdir=l,upperdir=u,workdir=w${uid === 0 ? '' : ',userxattr'}`
    const script = `cd "$1" && mount -t overlay overlay -o ${options} m`
    return await run('unshare', ...(uid === 0 ? ['-m'] : ['-U', '-r', '-m']), 'sh', '-c', script, 'sh', directory)
  } finally {
    // The kernel makes the work directory unreadable for ordinary users.
    fs.chmodSync(join(directory, 'w'), 0o700)
    await rm(directory, { recursive: true, force: true })
  }
}

async function probeControlGroups(): Promise<MachineReport['cgroups']> {
  const [cgroup, mountinfo] = await Promise.all(
    ['/proc/self/cgroup', '/proc/self/mountinfo'].map((path) => readFile(path, 'utf8').catch(() => '')),
  )
  const places = [...findPlaces(cgroup!, mountinfo!)]
  const writable = places.filter(([, { own }]) => canWrite(own)).map(([controller]) => controller)
  const v1 = places.some(([, { version }]) => version === 1)
  const v2 = / - cgroup2 /.test(mountinfo!)
  const version = v1 ? (v2 ? 'hybrid' : 'v1') : v2 ? 'v2' : 'none'
  const detail =
    writable.length === 0 ? `${version}, no group of ours is writable` : `${version}: ${writable.join(', ')}`
  return { ok: writable.length > 0, detail, version, writable }
}

function canWrite(path: string): boolean {
  try {
    fs.accessSync(path, fs.constants.W_OK)
    return true
  } catch {
    return false
  }
}

const fileSystems: ReadonlyMap<number, string> = new Map([
  [0xef53, 'ext4'],
  [0x58465342, 'xfs'],
  [0x9123683e, 'btrfs'],
  [0x794c7630, 'overlay'],
  [0x01021994, 'tmpfs'],
  [0x6969, 'nfs'],
  [0x2fc12fc1, 'zfs'],
  [0xf2f52010, 'f2fs'],
  [0x65735546, 'fuse'],
  [0xca451a4e, 'bcachefs'],
])

async function probeStore(path: string): Promise<MachineReport['store']> {
  try {
    makeDirectorySync(path)
    const { type, bavail, bsize } = await statfs(path)
    const fileSystem = fileSystems.get(type) ?? `0x${type.toString(16)}`
    return { ok: canWrite(path), detail: fileSystem, path, fileSystem, freeBytes: bavail * bsize }
  } catch (error) {
    return { ok: false, detail: (error as Error).message, path, fileSystem: '', freeBytes: 0 }
  }
}

const switches = [
  { setting: 'kernel.unprivileged_userns_clone', needed: '1', bad: (value: number) => value === 0 },
  { setting: 'kernel.apparmor_restrict_unprivileged_userns', needed: '0', bad: (value: number) => value === 1 },
  { setting: 'user.max_user_namespaces', needed: '15000', bad: (value: number) => value === 0 },
]

async function probeHindrances(): Promise<MachineReport['hindrances']> {
  const found: { setting: string; value: string; needed: string }[] = []
  for (const { setting, needed, bad } of switches) {
    const text = await readFile(`/proc/sys/${setting.replaceAll('.', '/')}`, 'latin1').catch(() => '')
    if (text !== '' && bad(Number(text))) found.push({ setting, value: text.trim(), needed })
  }
  return found
}
