/** Copies and moves trees whole: owners, modes, times, links; cloned where the file system can. */
import fs from 'node:fs'
import { copyFile, cp, link, mkdir, readdir, readlink, rename, rm, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { hasCode } from '../../util/has-code.ts'

/** Copies `from` to `to`, which must not exist. Sockets are linked: a copy of one could not be connected to. */
export async function copyTree(from: string, to: string): Promise<void> {
  const stat = fs.lstatSync(from)
  if (stat.isSymbolicLink()) await symlink(await readlink(from), to)
  else if (stat.isDirectory()) {
    await mkdir(to, { mode: 0o700 })
    for (const name of await readdir(from)) await copyTree(join(from, name), join(to, name))
  } else if (stat.isFile()) await copyFile(from, to, fs.constants.COPYFILE_FICLONE)
  else if (stat.isSocket()) return await link(from, to)
  else await cp(from, to, { preserveTimestamps: true })
  fs.lchownSync(to, stat.uid, stat.gid)
  if (!stat.isSymbolicLink()) fs.chmodSync(to, stat.mode & 0o7777)
  fs.lutimesSync(to, stat.atime, stat.mtime)
}

/** Makes the content of `to` what the content of `from` is; `from` is left empty or incomplete. */
export async function moveChildren(from: string, to: string): Promise<void> {
  for (const name of await readdir(to)) await rm(join(to, name), { recursive: true, force: true })
  for (const name of await readdir(from)) {
    try {
      await rename(join(from, name), join(to, name))
    } catch (error) {
      if (!hasCode(error, 'EXDEV')) throw error
      await copyTree(join(from, name), join(to, name))
    }
  }
}
