/** Makes directories with all that is missing above them. */
import { mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'

/**
 * Makes a directory unless it is there. Node's own `recursive` never ends where a directory exists but nothing can be made
 * in it and the kernel says ENOENT, as in /proc.
 *
 * @param mode of all that is made, subject to the umask
 */
export async function makeDirectory(path: string, mode = 0o777): Promise<void> {
  const make = () =>
    mkdir(path, mode).catch(async (error: NodeJS.ErrnoException) => {
      const found = await stat(path).catch(() => undefined)
      if (!found?.isDirectory()) throw error
    })
  await make().catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT' || dirname(path) === path) throw error
    await makeDirectory(dirname(path), mode)
    await make()
  })
}
