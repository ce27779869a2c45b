/**
 * The certificate authorities that are trusted: those that Node brings along, and those of the system as programs in Go
 * find them, with SSL_CERT_FILE and SSL_CERT_DIR.
 */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { getCACertificates } from 'node:tls'
import { registryErrors } from '../model/errors.ts'
import { fileProblem } from '../util/file-problem.ts'

type Env = Readonly<Record<string, string | undefined>>

/** Where distributions keep all authorities in one file (the first one found counts), and in many. */
const systemFiles = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/pki/tls/cacert.pem',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/ssl/cert.pem',
]
const systemDirectories = ['/etc/ssl/certs', '/etc/pki/tls/certs']

/** The authorities of a client. Looking for them takes a while, so that is done when they are first asked for. */
export class Trust {
  readonly #env: Env
  readonly #unread: string[] = []
  #all: Promise<readonly string[]> | undefined

  constructor(env: Env) {
    this.#env = env
  }

  /** Whether the environment names authorities, so that Node's own ones are surely not all that is wanted. */
  get named(): boolean {
    return Boolean(this.#env.SSL_CERT_FILE || this.#env.SSL_CERT_DIR)
  }

  /** Places that the environment names and that cannot be read, with the reason; complete once they are asked for. */
  get unread(): readonly string[] {
    return this.#unread
  }

  /** All of them, each once, in PEM. Places that cannot be read are left out, as elsewhere: {@link unread}. */
  certificates(): Promise<readonly string[]> {
    this.#all ??= this.#load()
    return this.#all
  }

  async #load(): Promise<readonly string[]> {
    const { NODE_EXTRA_CA_CERTS: extra, SSL_CERT_FILE: file, SSL_CERT_DIR: directories } = this.#env
    if (file) await this.#note('SSL_CERT_FILE', file, readFile)
    for (const directory of directories?.split(':').filter(Boolean) ?? [])
      await this.#note('SSL_CERT_DIR', directory, readdir)
    const texts = [
      ...(extra ? [await textOf(extra)] : []),
      await firstOf(file ? [file] : systemFiles),
      ...(await inDirectories(directories ? directories.split(':').filter(Boolean) : systemDirectories)),
    ]
    const elsewhere = process.platform === 'linux' ? [] : getCACertificates('system')
    return [...new Set([...getCACertificates('default'), ...elsewhere, ...texts.flatMap(certificatesIn)])]
  }

  async #note(variable: string, path: string, read: (path: string) => Promise<unknown>): Promise<void> {
    await read(path).catch((error) => this.#unread.push(`${variable} names ${path}: ${fileProblem(error)}`))
  }
}

/** The certificates of a PEM file that somebody named. @throws RegistryError CONFIG_INVALID when there are none */
export async function readCertificates(path: string): Promise<string[]> {
  let text: string
  try {
    text = await readFile(path, 'latin1')
  } catch (cause) {
    throw registryErrors.configInvalid([path, fileProblem(cause)], { cause })
  }
  const found = certificatesIn(text)
  if (found.length === 0) throw registryErrors.configInvalid([path, 'it holds no certificate in PEM'])
  return found
}

function certificatesIn(text: string): string[] {
  return text.match(/-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g) ?? []
}

async function textOf(path: string): Promise<string> {
  return readFile(path, 'latin1').catch(() => '')
}

async function firstOf(paths: readonly string[]): Promise<string> {
  for (const path of paths) {
    const text = await textOf(path)
    if (text !== '') return text
  }
  return ''
}

async function inDirectories(paths: readonly string[]): Promise<string[]> {
  const texts: string[] = []
  for (const path of paths) {
    const names = await readdir(path).catch(() => [])
    // One after the other: there are hundreds, and they are read once.
    for (const name of names.sort()) texts.push(await textOf(join(path, name)))
  }
  return texts
}
