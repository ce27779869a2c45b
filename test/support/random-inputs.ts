/** What random builds are made of: base images and contexts. */
import { copyFile, lutimes, mkdir, rm, symlink, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { writeLayout } from './image-layout.ts'
import { must } from './process.ts'
import { NAMES, type RandomBuild } from './random-builds.ts'
import { writeTree } from './temp.ts'
import { which } from './tools.ts'

/** Time of all files of contexts: only builds are to bring others about. */
const OLD = new Date('2017-07-14T02:40:00Z')

/** Writes a build's context anew. */
export async function writeContext(directory: string, { files, attributes }: RandomBuild): Promise<void> {
  const { mode, xattr, link } = attributes
  await rm(directory, { recursive: true, force: true })
  await writeTree(directory, { ...files, a: { text: files.a!, mode } })
  await symlink(link, join(directory, 'd/l'))
  if (xattr !== undefined) await must('setfattr', ['-n', 'user.note', '-v', xattr, 'a'], { cwd: directory })
  await must('tar', ['--sort=name', '--mtime=@1400000000', '--owner=5', '--group=6', '-cf', 'ar.tar', 'd'], {
    cwd: directory,
  })
  await lutimes(join(directory, 'd/l'), OLD, OLD)
  for (const name of [...NAMES, 'ar.tar', 'd', '.']) await utimes(join(directory, name), OLD, OLD)
}

/** What the commands above need: the fewer, the faster is a base image unpacked. */
const APPLETS = 'cat chmod chown cp echo find ln ls mkdir rm sh sort stat touch'.split(' ')

/** The base images as layouts: two with other files and accounts, and one like the first but for its config. */
export async function writeBases(directory: string): Promise<Record<string, string>> {
  const rootfs = join(directory, 'rootfs')
  const platforms = ['linux/amd64', 'linux/arm64/v8']
  const contexts: Record<string, string> = {}
  const variants: readonly (readonly [name: string, who: string, uid: number, config: { Env?: string[] }])[] = [
    ['base-a', 'base A', 1000, {}],
    ['base-c', 'base A', 1000, { Env: ['K=base', 'PATH=/bin'] }],
    ['base-b', 'base B', 2000, {}],
  ]
  for (const [name, who, uid, config] of variants) {
    await rm(rootfs, { recursive: true, force: true })
    await writeTree(rootfs, {
      who: who,
      'x/f': who,
      'y/g': who,
      'etc/passwd': `root:x:0:0::/:/bin/sh\nuser:x:${uid}:${uid}::/:/bin/sh\n`,
      'etc/group': `root:x:0:\nstaff:x:${uid / 10}:\n`,
    })
    await mkdir(join(rootfs, 'bin'))
    await copyFile(which('busybox')!, join(rootfs, 'bin/busybox'))
    for (const applet of APPLETS) await symlink('busybox', join(rootfs, 'bin', applet))
    await writeLayout(join(directory, name), { rootfs, config: { Env: ['PATH=/bin'], ...config }, platforms })
    contexts[name] = `oci-layout://${join(directory, name)}`
  }
  return contexts
}
