import { generateKeyPairSync } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A directory that is gone when disposed. */
export async function temporaryDirectory(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'tsbuild-cache-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

/** A key pair in files of a directory, as openssl makes it. */
export async function keyFiles(
  directory: string,
  name = 'key',
): Promise<{ readonly sign: string; readonly verify: string }> {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const [sign, verify] = [join(directory, `${name}.key`), join(directory, `${name}.pub`)]
  await writeFile(sign, privateKey.export({ type: 'pkcs8', format: 'pem' }))
  await writeFile(verify, publicKey.export({ type: 'spki', format: 'pem' }))
  return { sign, verify }
}
