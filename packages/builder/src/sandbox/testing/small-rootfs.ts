/** A root filesystem of one static busybox, for tests. */
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import { join } from 'node:path'

const candidates = ['/bin/busybox', '/usr/bin/busybox']

/** A statically linked busybox of this machine; undefined when there is none. */
export const busybox: string | undefined = candidates.find((path) => {
  try {
    // A dynamic program would need its loader in the root filesystem; ldd's answer differs between C libraries.
    return !/=>|ld-|libc/.test(execFileSync('sh', ['-c', `ldd ${path} 2>&1 || true`], { encoding: 'utf8' }))
  } catch {
    return false
  }
})

const applets =
  'cat chmod chown env false grep head hostname id ip kill ln ls mkdir mknod mount nc nproc ps readlink rm setsid sh sleep stat stty sync tail tee test touch tr true tty umount unshare wc yes'

/** Makes a root filesystem at `path` (a new directory), owned by `uid`. */
export function makeRootfs(path: string, uid = 0): string {
  for (const dir of ['bin', 'etc', 'tmp', 'home/alice']) fs.mkdirSync(join(path, dir), { recursive: true })
  fs.copyFileSync(busybox!, join(path, 'bin/busybox'))
  fs.chmodSync(join(path, 'bin/busybox'), 0o755)
  for (const applet of applets.split(' ')) fs.symlinkSync('busybox', join(path, 'bin', applet))
  fs.writeFileSync(join(path, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\n')
  fs.writeFileSync(join(path, 'etc/group'), 'root:x:0:\nalice:x:1000:\nstaff:x:50:alice\n')
  if (uid !== 0) execFileSync('chown', ['-R', `${uid}:${uid}`, path])
  return path
}

/** All paths of a tree, with their type, for comparing what a run has left. */
export function listTree(path: string): string[] {
  return fs
    .readdirSync(path, { recursive: true, withFileTypes: true })
    .map((entry) => `${join(entry.parentPath, entry.name).slice(path.length)}${entry.isDirectory() ? '/' : ''}`)
    .sort()
}
