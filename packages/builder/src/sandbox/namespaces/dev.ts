/** /dev of a container: a small tmpfs with the machine's harmless devices, terminals, shared memory and queues. */
import fs from 'node:fs'
import { hasCode } from '../../util/has-code.ts'
import { deviceLinks, devices, type StandardMounts } from '../mounts/standard.ts'
import { createFileAt, makeCharacterDevice, mkdirAt, O_NOFOLLOW, O_PATH, openAt, rmdirAt } from '../native/files.ts'
import { type BindOptions, bindOn, detach, MS, mountOn } from '../native/mount.ts'
import { resolveInRoot } from '../native/resolve.ts'

const SAFE = MS.NOSUID | MS.NODEV | MS.NOEXEC
/** Where nodes are made before they are shown. */
const NODES = '.nodes'

/** Mounts /dev; the directory exists in the root filesystem. */
export function mountDev(root: number, { sandboxed, singleId, shmSize, terminal }: StandardMounts): void {
  // Nodes that the process makes do not open here either; the ones shown are mounts of their own.
  const nodev = sandboxed ? MS.NODEV : 0
  const point = resolveInRoot(root, '/dev').fd
  mountOn(point, 'tmpfs', MS.NOSUID | MS.STRICTATIME | nodev, 'mode=755,size=65536k')
  fs.closeSync(point)
  const dev = resolveInRoot(root, '/dev').fd
  showDevices(dev)
  for (const [name, target] of deviceLinks) fs.symlinkSync(target, `/proc/self/fd/${dev}/${name}`)

  // Group 5 is tty in every distribution; it cannot be named where it is not mapped.
  const group = singleId ? '' : ',gid=5'
  below(dev, 'pts', (fd) => mountOn(fd, 'devpts', MS.NOSUID | MS.NOEXEC, `newinstance,ptmxmode=0666,mode=0620${group}`))
  below(dev, 'shm', (fd) => {
    if (shmSize !== undefined) mountOn(fd, 'tmpfs', SAFE, `mode=1777,size=${shmSize}`)
  })
  below(dev, 'mqueue', (fd) => {
    try {
      mountOn(fd, 'mqueue', SAFE)
    } catch (error) {
      // Kernels without POSIX queues; a user namespace that shares the machine's.
      if (!hasCode(error, 'ENODEV', 'EPERM')) throw error
    }
  })
  // By its path: the descriptor's mount belongs to the worker's namespace and cannot be shown here.
  if (terminal) showDevice(dev, 'console', fs.readlinkSync('/proc/self/fd/0'))
  fs.closeSync(dev)
}

/**
 * Nodes of our own, so that what the process does to them ends with it. Making them needs a privilege that user
 * namespaces do not give: there the machine's are shown, which can be used but not changed.
 */
function showDevices(dev: number): void {
  mkdirAt(dev, NODES, 0o700)
  const point = openAt(dev, NODES, O_PATH)
  mountOn(point, 'tmpfs', MS.NOSUID | MS.NOEXEC, 'mode=700,size=4k')
  fs.closeSync(point)
  const nodes = openAt(dev, NODES, O_PATH)
  for (const name of Object.keys(devices) as (keyof typeof devices)[]) {
    try {
      const node = makeNode(nodes, name, devices[name])
      showDevice(dev, name, node)
      fs.closeSync(node)
    } catch (error) {
      if (!hasCode(error, 'EPERM')) throw error
      showDevice(dev, name, `/dev/${name}`, { readonly: true })
    }
  }
  detach(`/proc/self/fd/${nodes}`)
  fs.closeSync(nodes)
  rmdirAt(dev, NODES)
}

/** Shows a node under a name in /dev. */
function showDevice(dev: number, name: string, source: number | string, options: BindOptions = {}): void {
  createFileAt(dev, name, 0o666)
  const target = openAt(dev, name, O_PATH)
  bindOn(source, target, options)
  fs.closeSync(target)
}

/** Makes a device that everybody may use; the umask is 0. Throws EPERM where nodes cannot be made. */
function makeNode(directory: number, name: string, [major, minor]: readonly [number, number]): number {
  makeCharacterDevice(directory, name, major, minor)
  return openAt(directory, name, O_PATH | O_NOFOLLOW)
}

function below(dev: number, name: string, use: (fd: number) => void): void {
  mkdirAt(dev, name, 0o755)
  const fd = openAt(dev, name, O_PATH)
  use(fd)
  fs.closeSync(fd)
}
