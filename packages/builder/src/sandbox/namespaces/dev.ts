/** /dev of a container: a small tmpfs with the machine's harmless devices, terminals, shared memory and queues. */
import fs from 'node:fs'
import { hasCode } from '../../util/has-code.ts'
import { deviceLinks, devices, type StandardMounts } from '../mounts/standard.ts'
import { createFileAt, mkdirAt, O_PATH, openAt } from '../native/files.ts'
import { bindOn, MS, mountOn } from '../native/mount.ts'
import { resolveInRoot } from '../native/resolve.ts'

const SAFE = MS.NOSUID | MS.NODEV | MS.NOEXEC

/** Mounts /dev; the directory exists in the root filesystem. */
export function mountDev(root: number, { sandboxed, singleId, shmSize, terminal }: StandardMounts): void {
  // Nodes that the process makes do not open here either; the ones shown are mounts of their own.
  const nodev = sandboxed ? MS.NODEV : 0
  const point = resolveInRoot(root, '/dev').fd
  mountOn(point, 'tmpfs', MS.NOSUID | MS.STRICTATIME | nodev, 'mode=755,size=65536k')
  fs.closeSync(point)
  const dev = resolveInRoot(root, '/dev').fd
  for (const name of devices) showDevice(dev, name, `/dev/${name}`)
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
      // Kernels without POSIX queues.
      if (!hasCode(error, 'ENODEV')) throw error
    }
  })
  // By its path: the descriptor's mount belongs to the worker's namespace and cannot be shown here.
  if (terminal) showDevice(dev, 'console', fs.readlinkSync('/proc/self/fd/0'))
  fs.closeSync(dev)
}

/** Shows a node of the machine: making one would need a privilege that user namespaces do not give. */
function showDevice(dev: number, name: string, source: string): void {
  createFileAt(dev, name, 0o666)
  const target = openAt(dev, name, O_PATH)
  bindOn(source, target)
  fs.closeSync(target)
}

function below(dev: number, name: string, use: (fd: number) => void): void {
  mkdirAt(dev, name, 0o755)
  const fd = openAt(dev, name, O_PATH)
  use(fd)
  fs.closeSync(fd)
}
