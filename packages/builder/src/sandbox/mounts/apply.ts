/** Applies the mounts that a RUN asked for. */
import fs from 'node:fs'
import type { SandboxMount } from '../executor.ts'
import { openNewFileAt, unlinkAt } from '../native/files.ts'
import { bindOn, MS, mountOn } from '../native/mount.ts'
import { checkTarget } from './order.ts'
import type { MountPoints } from './points.ts'

const STAGING = '.staged'

export interface ApplyOptions {
  readonly sandboxed: boolean
  /** Descriptor of a directory on a file system in memory that nobody else sees: files get their content there. */
  readonly scratch: number
}

/** Mounts all of them in the order given. */
export function mountAll(points: MountPoints, mounts: readonly SandboxMount[], options: ApplyOptions): void {
  for (const wanted of mounts) aboutMount(wanted, () => mountOne(points, wanted, options))
}

/** Errors of `work` say which mount they are about. */
export function aboutMount(wanted: SandboxMount, work: () => void): void {
  try {
    work()
  } catch (error) {
    throw new Error(`mount ${wanted.type} on ${wanted.target}: ${error instanceof Error ? error.message : error}`)
  }
}

function mountOne(points: MountPoints, wanted: SandboxMount, options: ApplyOptions): void {
  checkTarget(wanted.target)
  points.at(wanted.target, kindOf(wanted), (fd) => mountAt(fd, wanted, options))
}

/** What a mount is mounted on. */
export function kindOf(wanted: SandboxMount): 'directory' | 'file' {
  if (wanted.type !== 'bind') return wanted.type === 'tmpfs' ? 'directory' : 'file'
  return fs.statSync(wanted.source).isDirectory() ? 'directory' : 'file'
}

/** Mounts it on what `target` is open on. */
export function mountAt(target: number, wanted: SandboxMount, { sandboxed, scratch }: ApplyOptions): void {
  if (wanted.type === 'tmpfs') {
    const size = wanted.size === undefined || wanted.size === 0 ? '' : `,size=${wanted.size}`
    const mode = (wanted.mode ?? 0o1777).toString(8)
    const flags = MS.NOSUID | MS.NODEV | (wanted.noexec ? MS.NOEXEC : 0)
    mountOn(target, 'tmpfs', flags, `mode=${mode}${size}`)
  } else if (wanted.type === 'bind')
    bindOn(wanted.source, target, { recursive: true, readonly: wanted.readonly, nodev: sandboxed })
  else showFile(scratch, wanted, target)
}

/** Shows content from memory: a file without a name, mounted on the target. */
function showFile(scratch: number, wanted: Extract<SandboxMount, { type: 'file' }>, target: number): void {
  const file = openNewFileAt(scratch, STAGING, 0o600)
  try {
    for (let done = 0; done < wanted.content.length; ) done += fs.writeSync(file, wanted.content, done)
    fs.fchmodSync(file, wanted.mode)
    fs.fchownSync(file, wanted.uid, wanted.gid)
    bindOn(file, target, { readonly: true, nosuid: true, nodev: true, noexec: !isExecutable(wanted) })
  } finally {
    fs.closeSync(file)
    unlinkAt(scratch, STAGING)
  }
}

/** Whether somebody may execute it by its mode: then it can be executed, as in the reference. */
export function isExecutable({ mode }: { readonly mode: number }): boolean {
  return (mode & 0o111) !== 0
}
