/** Reads files of ours that may have become anything: what is no file of a sensible size is as good as absent. Leaf module. */
import { constants, fstatSync } from 'node:fs'
import { open } from 'node:fs/promises'

/** Without waiting for whoever would be at the other end, were it a FIFO; without opening what a link names elsewhere. */
const FLAGS = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOFOLLOW ?? 0)

/**
 * The bytes of a regular file; undefined when there is none, it cannot be read, or it is larger than `limit` bytes. A link is
 * no file.
 */
export async function readPlainFile(path: string, limit: number): Promise<Buffer | undefined> {
  try {
    await using file = await open(path, FLAGS)
    const stat = fstatSync(file.fd)
    return stat.isFile() && stat.size <= limit ? await file.readFile() : undefined
  } catch {
    return undefined
  }
}
