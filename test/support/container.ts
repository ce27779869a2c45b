/** Containers as docker starts them, made by runc: what a build finds in a pod or a CI job. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ociProfile } from '../../packages/builder/src/sandbox/seccomp/oci.ts'
import type { ImageConfig } from './image-layout.ts'
import { type Finished, run } from './process.ts'

/** What docker lets root of a container keep. */
const DOCKER_CAPABILITIES =
  'CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE'
    .split(' ')
    .map((name) => `CAP_${name}`)

export interface Container {
  /** Files of the image. */
  readonly rootfs: string
  readonly image: ImageConfig['config']
  readonly args: readonly string[]
  readonly env?: readonly string[]
  /** Directories of the machine by where they are shown. */
  readonly volumes: Readonly<Record<string, { readonly source: string; readonly readonly?: boolean }>>
  readonly readonlyRoot?: boolean
  readonly user?: { readonly uid: number; readonly gid: number }
  /** First id of the machine that the container's users are mapped to, 65536 of them. */
  readonly userNamespace?: number
  /** Bytes. */
  readonly memory?: number
}

/** Runs a container to its end. @param bundle a directory for its config.json */
export async function runContainer(bundle: string, container: Container): Promise<Finished> {
  await mkdir(bundle, { recursive: true })
  await writeFile(join(bundle, 'config.json'), JSON.stringify(configOf(container)))
  const name = `tsbuild-test-${process.pid}-${Date.now()}`
  try {
    return await run('runc', ['--root', join(bundle, 'state'), 'run', '--bundle', bundle, name], { timeout: 280_000 })
  } finally {
    await run('runc', ['--root', join(bundle, 'state'), 'delete', '--force', name])
  }
}

function configOf(container: Container): unknown {
  const { image, user = { uid: 0, gid: 0 }, userNamespace, memory } = container
  const ids = [{ containerID: 0, hostID: userNamespace, size: 65536 }]
  // Others than root get capabilities by files only, and with no-new-privileges not even so.
  const own = user.uid === 0 ? DOCKER_CAPABILITIES : []
  return {
    ociVersion: '1.0.2',
    process: {
      user,
      args: [...(image.Entrypoint ?? []), ...container.args],
      env: [...(image.Env ?? []), ...(container.env ?? [])],
      cwd: image.WorkingDir ?? '/',
      capabilities: { bounding: DOCKER_CAPABILITIES, effective: own, permitted: own },
      noNewPrivileges: true,
    },
    root: { path: container.rootfs, readonly: container.readonlyRoot ?? false },
    hostname: 'container',
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      {
        destination: '/dev',
        type: 'tmpfs',
        source: 'tmpfs',
        options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
      },
      {
        destination: '/dev/pts',
        type: 'devpts',
        source: 'devpts',
        options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666'],
      },
      {
        destination: '/dev/shm',
        type: 'tmpfs',
        source: 'shm',
        options: ['nosuid', 'noexec', 'nodev', 'mode=1777', 'size=65536k'],
      },
      { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', 'ro'] },
      ...Object.entries(container.volumes).map(([destination, { source, readonly }]) => ({
        destination,
        type: 'bind',
        source,
        options: ['rbind', 'rprivate', readonly ? 'ro' : 'rw'],
      })),
    ],
    linux: {
      namespaces: [...['pid', 'ipc', 'uts', 'mount', 'network'], ...(userNamespace === undefined ? [] : ['user'])].map(
        (type) => ({ type }),
      ),
      ...(userNamespace === undefined ? {} : { uidMappings: ids, gidMappings: ids }),
      resources: {
        devices: [{ allow: false, access: 'rwm' }, ...DEVICES],
        ...(memory === undefined ? {} : { memory: { limit: memory } }),
      },
      seccomp: ociProfile(process.arch),
      maskedPaths: ['/proc/acpi', '/proc/kcore', '/proc/keys', '/proc/timer_list', '/proc/scsi', '/sys/firmware'],
      readonlyPaths: ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'],
    },
  }
}

/** As docker: any node may be made, those that hold nothing may be used. */
const DEVICES = [
  { allow: true, type: 'c', access: 'm' },
  { allow: true, type: 'b', access: 'm' },
  ...[
    [1, 3],
    [1, 5],
    [1, 7],
    [1, 8],
    [1, 9],
    [5, 0],
    [5, 1],
    [5, 2],
  ].map(([major, minor]) => ({ allow: true, type: 'c', major, minor, access: 'rwm' })),
  { allow: true, type: 'c', major: 136, access: 'rwm' },
]
