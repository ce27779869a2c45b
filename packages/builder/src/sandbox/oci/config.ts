/** Writes a process as config.json of the OCI runtime specification. */
import fs from 'node:fs'
import type { ProcessSpec } from '../executor.ts'
import { effectiveLimits } from '../limits/settings.ts'
import { defaultShmSize, maskedDirectories, maskedFiles, readonlyPaths } from '../mounts/standard.ts'
import { capabilityNames, defaultCapabilities, hasCapability } from '../native/capabilities.ts'
import { ociProfile } from '../seccomp/oci.ts'

/** A mount of config.json. */
export interface OciMount {
  readonly destination: string
  readonly type: string
  readonly source: string
  readonly options: readonly string[]
}

export interface OciOptions {
  readonly rootfs: string
  /** Only one id is mapped. */
  readonly singleId: boolean
  readonly userNamespace: boolean
  readonly seccomp: boolean
  /** What this process has: more cannot be given. */
  readonly capabilities: bigint
  readonly terminal: boolean
  /** The RUN's own mounts, files already written somewhere. */
  readonly mounts: readonly OciMount[]
  readonly cgroupsPath: string | undefined
}

/** The configuration of one process. */
export function ociConfig(spec: ProcessSpec, options: OciOptions): unknown {
  const sandboxed = spec.security === 'sandbox'
  const capabilities = (sandboxed ? (spec.capabilities ?? defaultCapabilities) : capabilityNames)
    .filter((name) => hasCapability(options.capabilities, name))
    .map((name) => `CAP_${name}`)
  const namespaces = ['pid', 'ipc', 'uts', 'mount', ...(spec.network === 'host' ? [] : ['network'])]
  if (fs.existsSync('/proc/self/ns/cgroup')) namespaces.push('cgroup')
  return {
    ociVersion: '1.0.2',
    process: {
      terminal: options.terminal,
      user: {
        uid: spec.user.uid,
        gid: spec.user.gid,
        umask: 0o022,
        ...(options.singleId ? {} : { additionalGids: spec.user.additionalGids }),
      },
      args: spec.args,
      env: spec.env,
      cwd: spec.cwd,
      capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
      rlimits: spec.ulimits.map(({ name, soft, hard }) => ({
        type: `RLIMIT_${name.toUpperCase()}`,
        soft: unlimited(soft),
        hard: unlimited(hard),
      })),
      noNewPrivileges: false,
    },
    root: { path: options.rootfs, readonly: spec.readonlyRoot === true },
    hostname: spec.hostname,
    mounts: [...standardMounts(spec, options), ...options.mounts],
    linux: {
      namespaces: namespaces.map((type) => ({ type })),
      ...(options.cgroupsPath === undefined ? {} : { cgroupsPath: options.cgroupsPath }),
      resources: { devices: [{ allow: !sandboxed, access: 'rwm' }], ...resources(spec) },
      maskedPaths: sandboxed ? masked() : [],
      readonlyPaths: sandboxed ? readonlyPaths.proc.map((name) => `/proc/${name}`) : [],
      ...(sandboxed && options.seccomp ? { seccomp: ociProfile(process.arch, spec.capabilities) } : {}),
    },
  }
}

function unlimited(value: number): number {
  // The largest number of JSON that a runtime reads as "no limit" without loss is 2^64-1, which JavaScript rounds up.
  return value < 0 ? Number.MAX_SAFE_INTEGER : value
}

function masked(): string[] {
  const paths = (tree: 'proc' | 'sys'): string[] =>
    [...maskedDirectories[tree], ...maskedFiles[tree]].map((name) => `/${tree}/${name}`)
  return [...paths('proc'), ...paths('sys')]
}

function standardMounts(spec: ProcessSpec, { singleId, userNamespace }: OciOptions): OciMount[] {
  const at = (destination: string, type: string, ...options: string[]): OciMount => ({
    destination,
    type,
    source: type,
    options,
  })
  const safe = ['nosuid', 'noexec', 'nodev']
  // A user namespace that shares the host's network may not mount sysfs, only show the one that is there.
  const sys: OciMount =
    userNamespace && spec.network === 'host'
      ? { destination: '/sys', type: 'none', source: '/sys', options: ['rbind', ...safe, 'ro', 'rro'] }
      : at('/sys', 'sysfs', ...safe, 'ro')
  return [
    at('/proc', 'proc', ...safe),
    at('/dev', 'tmpfs', 'nosuid', 'strictatime', 'mode=755', 'size=65536k'),
    at(
      '/dev/pts',
      'devpts',
      'nosuid',
      'noexec',
      'newinstance',
      'ptmxmode=0666',
      'mode=0620',
      ...(singleId ? [] : ['gid=5']),
    ),
    // A mount that was asked for takes the place of the standard one.
    ...(spec.mounts.some((mount) => mount.target === '/dev/shm')
      ? []
      : [at('/dev/shm', 'tmpfs', ...safe, 'mode=1777', `size=${spec.shmSize ?? defaultShmSize}`)]),
    at('/dev/mqueue', 'mqueue', ...safe),
    sys,
  ]
}

function resources(spec: ProcessSpec): Record<string, unknown> {
  const wanted = effectiveLimits(spec.resources)
  const set = (entries: Record<string, unknown>): Record<string, unknown> | undefined => {
    const given = Object.fromEntries(Object.entries(entries).filter(([, value]) => value !== undefined))
    return Object.keys(given).length > 0 ? given : undefined
  }
  return (
    set({
      memory: set({ limit: wanted.memory, swap: wanted.memorySwap }),
      cpu: set({
        shares: wanted.cpuShares,
        period: wanted.cpuPeriod,
        quota: wanted.cpuQuota,
        cpus: wanted.cpusetCpus,
        mems: wanted.cpusetMems,
      }),
      pids: set({ limit: wanted.pids }),
    }) ?? {}
  )
}
