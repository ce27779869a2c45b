/** What the library found out about the machine, as lines for people: each with what would make it better. */
import type { Diagnosis } from '@tsbuild/builder'
import { formatBytes } from '../progress/format.ts'

export interface Finding {
  readonly name: string
  /** `ok`: nothing to do; `limited`: works with less; `missing`: something does not work. */
  readonly status: 'ok' | 'limited' | 'missing'
  readonly found: string
  /** The command or step that would help. */
  readonly advice?: string
}

type Check = (diagnosis: Diagnosis) => Finding | readonly Finding[]

const ok = (name: string, found: string): Finding => ({ name, status: 'ok', found })
const limited = (name: string, found: string, advice: string): Finding => ({ name, status: 'limited', found, advice })
const missing = (name: string, found: string, advice: string): Finding => ({ name, status: 'missing', found, advice })

const CHECKS: readonly Check[] = [
  user,
  userNamespaces,
  overlay,
  seccomp,
  cgroups,
  runtimes,
  networks,
  foreignPlatforms,
  store,
  worker,
  isolation,
]

/** All findings, the one that decides last. */
export function findings(diagnosis: Diagnosis): readonly Finding[] {
  return CHECKS.flatMap((check) => check(diagnosis))
}

function user({ machine: { user: who, subordinateIds, container } }: Diagnosis): Finding {
  const name = 'user'
  const place = container ? ', in a container' : ''
  if (who.uid === 0) return ok(name, `root${place}`)
  const text = `${who.name} (${who.uid})${place}`
  if (subordinateIds.ok) return ok(name, `${text} with ${subordinateIds.detail} below /etc/subuid and /etc/subgid`)
  const ranges = `sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ${who.name}`
  const found = `${text}, ${subordinateIds.detail}: files can have one owner only`
  return limited(name, found, `${ranges}; newuidmap and newgidmap are in the package uidmap`)
}

function userNamespaces({ machine: { user: who, userNamespace, hindrances } }: Diagnosis): Finding {
  const name = 'user namespaces'
  if (who.uid === 0) return ok(name, 'not needed by root')
  if (userNamespace.ok) return ok(name, 'allowed')
  const [hindrance] = hindrances
  const advice = hindrance ? `sudo sysctl -w ${hindrance.setting}=${hindrance.needed}` : 'run as root'
  return missing(name, userNamespace.detail, advice)
}

function overlay({ machine, worker: mode, copies }: Diagnosis): Finding {
  // What the worker has tried counts; without one, what the probe has.
  const why = mode === undefined ? (machine.overlay.ok ? undefined : machine.overlay.detail) : copies
  if (why === undefined) return ok('overlay', 'works on the file system of the store')
  const elsewhere = 'name a directory on a local disk with --root (in a container: on a volume)'
  const advice = /no such device/i.test(machine.overlay.detail) ? `sudo modprobe overlay, or ${elsewhere}` : elsewhere
  return limited('overlay', `${why}: snapshots are copies`, advice)
}

function seccomp({ machine }: Diagnosis): Finding {
  const { detail } = machine.seccomp
  if (machine.seccomp.ok) return ok('seccomp', detail === '' ? 'in the kernel' : `in the kernel; ${detail}`)
  return limited(
    'seccomp',
    'not in the kernel: system calls of RUN are not filtered',
    'use a kernel with CONFIG_SECCOMP_FILTER',
  )
}

function cgroups({ machine }: Diagnosis): Finding {
  if (machine.cgroups.ok) return ok('cgroups', machine.cgroups.detail)
  const advice =
    machine.cgroups.version === 'v2' ? 'systemd-run --user --scope -p Delegate=yes tsbuild …' : 'run as root'
  return limited('cgroups', `${machine.cgroups.detail}: --resource can limit little`, advice)
}

function runtimes({ runtimes: tried }: Diagnosis): Finding | readonly Finding[] {
  const name = 'oci runtimes'
  if (tried.length === 0) return ok(name, 'none (only --isolation oci needs one)')
  return tried.map((runtime) => {
    const text = runtime.version.startsWith(runtime.name) ? runtime.version : `${runtime.name} ${runtime.version}`
    if (runtime.ok) return ok(name, text)
    return limited(name, `${text}: ${runtime.problem}`, 'use another one with --isolation oci --oci-runtime PATH')
  })
}

function networks({ machine: { networkHelper } }: Diagnosis): Finding {
  const found = networkHelper.ok ? networkHelper.detail : `${networkHelper.detail} (only --network isolated needs it)`
  return ok('isolated network', found)
}

function foreignPlatforms({ machine: { binfmt } }: Diagnosis): Finding {
  const found = binfmt.filter((entry) => entry.startsWith('qemu-')).map((entry) => entry.slice('qemu-'.length))
  return ok('foreign platforms', found.join(', ') || 'none (RUN for another --platform needs qemu-user-static)')
}

const LITTLE = 1e9

function store({ machine }: Diagnosis): Finding {
  const { ok: works, detail, path, fileSystem, freeBytes } = machine.store
  if (!works) return missing('store', `${path} cannot be written: ${detail}`, 'name another directory with --root')
  const found = `${path} on ${fileSystem}, ${formatBytes(freeBytes)} free`
  if (freeBytes >= LITTLE) return ok('store', found)
  return limited('store', found, 'tsbuild prune, or name another directory with --root')
}

const WORKERS: Readonly<Record<NonNullable<Diagnosis['worker']>, string>> = {
  root: 'in a mount namespace, as root',
  subids: 'in a user namespace with sub-ids',
  single: 'in a user namespace with one id',
  plain: 'without namespaces of its own',
}

function worker({ worker: mode, reasons, why }: Diagnosis): Finding {
  const advice = 'see what is limited or missing above'
  if (mode === undefined) return missing('worker', why, advice)
  const found = [WORKERS[mode], ...reasons].join('; ')
  return mode === 'root' || mode === 'subids' ? ok('worker', found) : limited('worker', found, advice)
}

function isolation({ level, why, raise }: Diagnosis): Finding {
  const name = 'isolation of RUN'
  if (level === 'none') return missing(name, `RUN does not work: ${why}`, raise ?? 'see what is missing above')
  const found = `${level}: ${why}`
  return raise === undefined ? ok(name, found) : limited(name, found, raise)
}
