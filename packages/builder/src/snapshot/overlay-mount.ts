/** Overlay mounts: the kernel stacks layers' directories. */
import { mkdirSync, symlinkSync } from 'node:fs'
import { release } from 'node:os'
import { join, relative } from 'node:path'
import { removeTree } from '../util/remove-tree.ts'
import { MOUNT_ATTR, type MountParameter, mountFs, mountOld } from '../util/syscalls.ts'

/** What an overlay mount is made of. All paths absolute. */
export interface OverlayMount {
  readonly target: string
  /** At least one with `upper`, at least two without; top first. */
  readonly lowers: readonly string[]
  /** Without it the mount is read-only. */
  readonly upper?: { readonly directory: string; readonly work: string }
  /** Marks are `user.overlay.*` instead of `trusted.overlay.*`: in a user namespace. */
  readonly userXattr: boolean
  /** Where nothing is yet: place for short names while the kernel takes its options as one page of text. */
  readonly scratch: string
}

/**
 * With these the upper directory always holds whole files and directories: no metadata-only copies, no redirects of renamed
 * directories, no index of hard links.
 */
const COMPLETE: readonly MountParameter[] = [
  ['xino', 'off'],
  ['metacopy', 'off'],
  ['redirect_dir', 'nofollow'],
  ['index', 'off'],
]

/**
 * Whether paths through the mount follow links: the worker itself follows none, whoever swaps a directory with one. What a
 * RUN sees of it is another mount, which follows them; taking the attribute away needs Linux 5.12.
 */
const REFUSES_LINKS = atLeast(5, 12)

function atLeast(major: number, minor: number): boolean {
  const [ownMajor = 0, ownMinor = 0] = release()
    .split('.')
    .map((part) => Number.parseInt(part, 10))
  return ownMajor > major || (ownMajor === major && ownMinor >= minor)
}

/** Mounts; on kernels before 6.5, which lack `lowerdir+`, through mount(2). */
export function mountOverlay(mount: OverlayMount): void {
  const { lowers, upper } = mount
  if ([...lowers, upper?.directory, upper?.work].some((path) => path?.includes('\\'))) {
    // The kernel takes backslashes in these for escapes, of some paths and in some versions only; short names have none.
    mountWithOptions(mount)
    return
  }
  try {
    mountWithFsconfig(mount)
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code !== 'EINVAL' && code !== 'ENOSYS' && code !== 'E2BIG') throw error
    mountWithOptions(mount)
  }
}

function mountWithFsconfig({ target, lowers, upper, userXattr }: OverlayMount): void {
  const parameters: MountParameter[] = [
    ['source', 'overlay'],
    ...lowers.map((path) => ['lowerdir+', path] as const),
    ...COMPLETE,
  ]
  if (userXattr) parameters.push(['userxattr'])
  if (upper) parameters.push(['upperdir', upper.directory], ['workdir', upper.work], ['volatile'])
  const attributes = (upper ? 0 : MOUNT_ATTR.readonly) | (REFUSES_LINKS ? MOUNT_ATTR.nosymfollow : 0)
  mountFs('overlay', target, parameters, attributes)
}

/** The options of 500 layers fit into one page when each is a short link beside the working directory. */
export function mountWithOptions({ target, lowers, upper, userXattr, scratch }: OverlayMount): void {
  mkdirSync(scratch)
  for (const [i, path] of lowers.entries()) symlinkSync(relative(scratch, path), join(scratch, String(i)))
  const options = [
    `lowerdir=${lowers.map((_, i) => i).join(':')}`,
    ...COMPLETE.map(([key, value]) => `${key}=${value}`),
  ]
  if (userXattr) options.push('userxattr')
  if (upper) {
    symlinkSync(relative(scratch, upper.directory), join(scratch, 'u'))
    symlinkSync(relative(scratch, upper.work), join(scratch, 'w'))
    options.push('upperdir=u', 'workdir=w', 'volatile')
  }
  const before = process.cwd()
  process.chdir(scratch)
  try {
    const MS_RDONLY = 1
    const MS_NOSYMFOLLOW = 256
    const flags = (upper ? 0 : MS_RDONLY) | (REFUSES_LINKS ? MS_NOSYMFOLLOW : 0)
    mountOld('overlay', target, 'overlay', flags, options.join(','))
  } finally {
    process.chdir(before)
    removeTree(scratch)
  }
}
