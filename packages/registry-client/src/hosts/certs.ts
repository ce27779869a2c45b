/**
 * Certificates of a registry in a directory of its own, as docker and containers keep them (`certs.d/<host>/`):
 * `*.crt` are CAs, `NAME.cert` with `NAME.key` are client certificates.
 */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ConnectionOptions } from 'node:tls'
import { registryErrors } from '../model/errors.ts'
import { fileProblem } from '../util/file-problem.ts'

/** The certificates of a directory; undefined when it has none or does not exist. @throws RegistryError CONFIG_INVALID */
export async function readCertsDirectory(path: string): Promise<ConnectionOptions | undefined> {
  let names: string[]
  try {
    names = (await readdir(path)).sort()
  } catch {
    return undefined
  }
  const cas = names.filter((name) => name.endsWith('.crt')).map((name) => join(path, name))
  const pairs: [string, string][] = []
  for (const name of names.filter((name) => name.endsWith('.cert'))) {
    const key = `${name.slice(0, -'.cert'.length)}.key`
    if (!names.includes(key)) throw registryErrors.configInvalid([join(path, name), `its key ${key} is missing`])
    pairs.push([join(path, name), join(path, key)])
  }
  return loadTls(cas, pairs, false)
}

/**
 * TLS settings from PEM files; undefined when there is nothing to set. CAs are trusted beside all others.
 *
 * @param clients pairs of certificate and key; a key of '' means that the certificate's file has it too
 */
export async function loadTls(
  cas: readonly string[],
  clients: readonly (readonly [string, string])[],
  skipVerify: boolean,
): Promise<ConnectionOptions | undefined> {
  if (cas.length === 0 && clients.length === 0 && !skipVerify) return undefined
  const ca = await Promise.all(cas.map(readPem))
  const cert = await Promise.all(clients.map(([file]) => readPem(file)))
  const key = await Promise.all(clients.map(([file, keyFile]) => readPem(keyFile || file)))
  return {
    ...(ca.length > 0 && { ca }),
    ...(cert.length > 0 && { cert, key }),
    ...(skipVerify && { rejectUnauthorized: false }),
  }
}

async function readPem(path: string): Promise<string> {
  try {
    return await readFile(path, 'latin1')
  } catch (cause) {
    throw registryErrors.configInvalid([path, fileProblem(cause)], { cause })
  }
}
