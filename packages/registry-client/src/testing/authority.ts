/** A certificate authority of its own for a test, made with openssl. */
import { execFileSync } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

export interface TestAuthority {
  /** File of its certificate. */
  readonly caFile: string
  /** A certificate of a server on loopback that it has signed, and the key. */
  readonly server: { readonly cert: string; readonly key: string }
}

/** Makes an authority in a directory. */
export async function makeAuthority(folder: string): Promise<TestAuthority> {
  const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'pipe', cwd: folder })
  const fresh = ['req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  openssl(...fresh, '-x509', '-days', '2', '-subj', '/CN=Test CA', '-keyout', 'ca.key', '-out', 'ca.crt')
  openssl(...fresh, '-subj', '/CN=localhost', '-keyout', 'server.key', '-out', 'server.csr')
  await writeFile(join(folder, 'extensions'), 'subjectAltName=DNS:localhost,IP:127.0.0.1\n')
  const signed = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-days', '2', '-extfile', 'extensions']
  openssl('x509', '-req', '-in', 'server.csr', ...signed, '-out', 'server.crt')
  const read = (name: string) => readFile(join(folder, name), 'utf8')
  return {
    caFile: join(folder, 'ca.crt'),
    server: { cert: await read('server.crt'), key: await read('server.key') },
  }
}
