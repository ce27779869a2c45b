/** A store is one user's: files that several own end up in the way of all of them. */
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { storeErrors } from './errors.ts'

/** @throws STORE_OWNER when somebody else has made the store */
export async function checkOwner(root: string): Promise<void> {
  const user = process.getuid?.()
  if (user === undefined) return
  const { uid } = await stat(join(root, 'oci-layout'))
  if (uid !== user) throw storeErrors.storeOwner([root, await userName(uid), await userName(user)])
}

/** A user's name, or its number where it has none. */
async function userName(uid: number): Promise<string> {
  const lines = (await readFile('/etc/passwd', 'utf8').catch(() => '')).split('\n')
  const found = lines.map((line) => line.split(':')).find(([, , id]) => id === String(uid))
  return found?.[0] ? `${found[0]} (uid ${uid})` : `uid ${uid}`
}
