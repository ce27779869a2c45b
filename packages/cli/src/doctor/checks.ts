/** What tsbuild needs of a machine, each thing with what was found and what would make it better. */
import { formatBytes } from '../progress/format.ts'
import type { Machine } from './machine.ts'

export interface Finding {
  readonly name: string
  /** `ok`: nothing to do; `limited`: works with less; `missing`: something does not work. */
  readonly status: 'ok' | 'limited' | 'missing'
  readonly found: string
  /** The command or step that would help. */
  readonly advice?: string
}

type Check = (machine: Machine) => Finding

const ok = (name: string, found: string): Finding => ({ name, status: 'ok', found })
const limited = (name: string, found: string, advice: string): Finding => ({ name, status: 'limited', found, advice })
const missing = (name: string, found: string, advice: string): Finding => ({ name, status: 'missing', found, advice })

/** All checks that only read; in the order of the output. */
export const CHECKS: readonly Check[] = [
  user,
  userNamespaces,
  unshare,
  overlay,
  seccomp,
  cgroups,
  runtimes,
  networks,
  foreignPlatforms,
  git,
]

function user(machine: Machine): Finding {
  if (machine.uid === 0) return ok('user', 'root')
  const who = `${machine.user} (${machine.uid})`
  const ranges = ['/etc/subuid', '/etc/subgid'].map((path) => subIds(machine.read(path), machine))
  const helpers = machine.find('newuidmap') && machine.find('newgidmap')
  if (!helpers) return limited('user', `${who}, no newuidmap: files can have one owner only`, 'apt-get install uidmap')
  if (ranges.some((range) => range === undefined)) {
    const range = '--add-subuids 100000-165535 --add-subgids 100000-165535'
    return limited('user', `${who}, no sub-ids: files can have one owner only`, `sudo usermod ${range} ${machine.user}`)
  }
  return ok('user', `${who} with sub-ids ${ranges[0]}`)
}

/** `START:COUNT` of the user's line. */
function subIds(text: string | undefined, { user: name, uid }: Machine): string | undefined {
  const line = text?.split('\n').find((entry) => entry.startsWith(`${name}:`) || entry.startsWith(`${uid}:`))
  return line?.slice(line.indexOf(':') + 1)
}

function userNamespaces(machine: Machine): Finding {
  const name = 'user namespaces'
  if (machine.uid === 0) return ok(name, 'not needed')
  const read = (path: string): string | undefined => machine.read(path)?.trim()
  if (read('/proc/sys/user/max_user_namespaces') === '0') {
    return missing(name, 'switched off', 'sudo sysctl -w user.max_user_namespaces=15000')
  }
  if (read('/proc/sys/kernel/unprivileged_userns_clone') === '0') {
    return missing(name, 'only for root', 'sudo sysctl -w kernel.unprivileged_userns_clone=1')
  }
  if (read('/proc/sys/kernel/apparmor_restrict_unprivileged_userns') === '1') {
    return missing(name, 'restricted by AppArmor', 'sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0')
  }
  return ok(name, 'allowed')
}

function unshare(machine: Machine): Finding {
  const path = machine.find('unshare')
  return path ? ok('unshare', path) : missing('unshare', 'not on PATH', 'apt-get install util-linux')
}

function overlay(machine: Machine): Finding {
  if (/\boverlay$/m.test(machine.read('/proc/filesystems') ?? '')) return ok('overlay', 'in the kernel')
  return limited('overlay', 'not in the kernel: snapshots are copies', 'sudo modprobe overlay')
}

function seccomp(machine: Machine): Finding {
  if (/^Seccomp:/m.test(machine.read('/proc/self/status') ?? '')) return ok('seccomp', 'in the kernel')
  return limited(
    'seccomp',
    'not in the kernel: system calls of RUN are not filtered',
    'use a kernel with CONFIG_SECCOMP_FILTER',
  )
}

function cgroups(machine: Machine): Finding {
  const name = 'cgroups'
  const own = /^0::(.*)$/m.exec(machine.read('/proc/self/cgroup') ?? '')?.[1] ?? '/'
  const unified = machine.read('/sys/fs/cgroup/cgroup.controllers')?.trim()
  if (unified !== undefined) {
    const place = `/sys/fs/cgroup${own}`
    if (machine.writable(place)) return ok(name, `v2: ${unified || 'no controllers'}`)
    return limited(
      name,
      'v2, not writable: --resource has no effect',
      'systemd-run --user --scope -p Delegate=yes tsbuild …',
    )
  }
  const usable = ['memory', 'cpu', 'cpuset', 'pids'].filter((controller) =>
    machine.writable(`/sys/fs/cgroup/${controller}`),
  )
  if (usable.length > 0) return ok(name, `v1: ${usable.join(' ')}`)
  return limited(name, 'none that can be written: --resource has no effect', 'run as root, or delegate a cgroup v2')
}

function runtimes(machine: Machine): Finding {
  const found = ['runc', 'crun', 'youki'].filter((program) => machine.find(program))
  return ok('oci runtimes', found.join(', ') || 'none (only --isolation oci needs one)')
}

function networks(machine: Machine): Finding {
  const found = ['pasta', 'slirp4netns'].filter((program) => machine.find(program))
  return ok('isolated network', found.join(', ') || 'not possible (--network isolated needs pasta or slirp4netns)')
}

function foreignPlatforms(machine: Machine): Finding {
  const handlers = machine
    .list('/proc/sys/fs/binfmt_misc')
    .filter((entry) => machine.read(`/proc/sys/fs/binfmt_misc/${entry}`)?.startsWith('enabled'))
    .flatMap((entry) => /^qemu-(.+)$/.exec(entry)?.[1] ?? [])
  return ok('foreign platforms', handlers.join(', ') || 'none (RUN for another --platform needs qemu-user-static)')
}

function git(machine: Machine): Finding {
  return ok('git', machine.find('git') ?? 'not on PATH (only contexts and ADD from git need it)')
}

/** File systems by the number that statfs has for them. */
const FILE_SYSTEMS: ReadonlyMap<number, string> = new Map([
  [0xef53, 'ext4'],
  [0x58465342, 'xfs'],
  [0x9123683e, 'btrfs'],
  [0x2fc12fc1, 'zfs'],
  [0x01021994, 'tmpfs'],
  [0x794c7630, 'overlay'],
  [0x6969, 'nfs'],
  [0xca451a4e, 'bcachefs'],
  [0x65735546, 'fuse'],
])
/** An overlay cannot lie on these. */
const BELOW_NO_OVERLAY: ReadonlySet<string> = new Set(['overlay', 'nfs', 'fuse'])
const LITTLE = 1e9

/** The place of the store. */
export function checkStore(machine: Machine, root: string): Finding {
  const found = machine.fileSystem(root)
  if (!found) return missing('store', `${root} cannot be made or read`, 'name another directory with --root')
  const type = FILE_SYSTEMS.get(found.type) ?? `file system ${found.type.toString(16)}`
  const text = `${root} on ${type}, ${formatBytes(found.free)} free`
  if (found.free < LITTLE) return limited('store', text, 'tsbuild prune, or name another directory with --root')
  if (BELOW_NO_OVERLAY.has(type))
    return limited('store', `${text}: snapshots may be copies`, 'name a directory on a local disk with --root')
  return ok('store', text)
}
