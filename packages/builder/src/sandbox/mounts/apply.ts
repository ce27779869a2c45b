/** Applies the mounts that a RUN asked for. */
import fs from 'node:fs'
import type { SandboxMount } from '../executor.ts'
import { createFileAt, O_NOFOLLOW, O_PATH, openAt, unlinkAt } from '../native/files.ts'
import { bindOn, MS, mountOn } from '../native/mount.ts'
import { resolveInRoot } from '../native/resolve.ts'
import { checkTarget } from './order.ts'
import type { MountPoints } from './points.ts'

const STAGING = '.staged'

/** Mounts all of them in the order given; /dev must be mounted already, since files take their content from that tmpfs. */
export function mountAll(
  points: MountPoints,
  mounts: readonly SandboxMount[],
  { sandboxed }: { sandboxed: boolean },
): void {
  for (const wanted of mounts) {
    try {
      mountOne(points, wanted, sandboxed)
    } catch (error) {
      throw new Error(`mount ${wanted.type} on ${wanted.target}: ${error instanceof Error ? error.message : error}`)
    }
  }
}

function mountOne(points: MountPoints, wanted: SandboxMount, sandboxed: boolean): void {
  checkTarget(wanted.target)
  if (wanted.type === 'tmpfs') {
    const size = wanted.size === undefined || wanted.size === 0 ? '' : `,size=${wanted.size}`
    const mode = (wanted.mode ?? 0o1777).toString(8)
    const flags = MS.NOSUID | MS.NODEV | (wanted.noexec ? MS.NOEXEC : 0)
    points.at(wanted.target, 'directory', (fd) => mountOn(fd, 'tmpfs', flags, `mode=${mode}${size}`))
  } else if (wanted.type === 'bind') {
    const kind = fs.statSync(wanted.source).isDirectory() ? 'directory' : 'file'
    points.at(wanted.target, kind, (fd) =>
      bindOn(wanted.source, fd, { recursive: true, readonly: wanted.readonly, nodev: sandboxed }),
    )
  } else {
    points.at(wanted.target, 'file', (fd) => showFile(points.root, wanted, fd))
  }
}

/** Shows content from memory: a file of the /dev tmpfs without a name, mounted on the target. */
function showFile(root: number, wanted: Extract<SandboxMount, { type: 'file' }>, target: number): void {
  const dev = resolveInRoot(root, '/dev').fd
  try {
    createFileAt(dev, STAGING, 0o600)
    const file = openAt(dev, STAGING, fs.constants.O_WRONLY | O_NOFOLLOW)
    for (let done = 0; done < wanted.content.length; ) done += fs.writeSync(file, wanted.content, done)
    fs.fchmodSync(file, wanted.mode)
    fs.fchownSync(file, wanted.uid, wanted.gid)
    fs.closeSync(file)
    const source = openAt(dev, STAGING, O_PATH | O_NOFOLLOW)
    bindOn(source, target, { readonly: true, nosuid: true, nodev: true, noexec: true })
    fs.closeSync(source)
    unlinkAt(dev, STAGING)
  } finally {
    fs.closeSync(dev)
  }
}
