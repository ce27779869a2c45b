/** Packages of Debian that the images have files of, fetched by apt for any architecture without touching the machine's own. */
import { execFile } from 'node:child_process'
import { hash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** A version as Debian writes it, and what its package has to be. */
export interface Pinned {
  readonly version: string
  readonly sha256: string
}

/** The package lists of one architecture, in a directory of their own. */
export class Apt {
  readonly #options: readonly string[]
  readonly #work: string

  private constructor(work: string, options: readonly string[]) {
    this.#work = work
    this.#options = options
  }

  /** @param work a directory for lists and packages, kept by the caller or not */
  static async open(work: string, architecture: string): Promise<Apt> {
    for (const name of ['lists/partial', 'archives/partial']) await mkdir(join(work, name), { recursive: true })
    const deb822 = '/etc/apt/sources.list.d/debian.sources'
    const apt = new Apt(
      work,
      [
        ['Dir::Etc::sourcelist', existsSync(deb822) ? deb822 : '/etc/apt/sources.list'],
        ['Dir::Etc::sourceparts', '-'],
        ['Dir::State', work],
        ['Dir::State::lists', join(work, 'lists')],
        ['Dir::State::status', '/dev/null'],
        ['Dir::Cache', work],
        ['APT::Architecture', architecture],
        ['APT::Architectures', architecture],
        ['APT::Sandbox::User', 'root'],
        ['Acquire::Languages', 'none'],
      ].flatMap(([name, value]) => ['-o', `${name}=${value}`]),
    )
    await apt.#get('update', '-qq')
    return apt
  }

  /**
   * Fetches packages into a new directory below the lists', all at once: each call reads the lists anew.
   *
   * @returns the archives by package
   */
  async download(
    packages: readonly { readonly name: string; readonly version?: string }[],
  ): Promise<Map<string, string>> {
    const directory = await mkdtemp(join(this.#work, 'packages-'))
    const specs = packages.map(({ name, version }) => (version === undefined ? name : `${name}=${version}`))
    await run('apt-get', [...this.#options, 'download', '-qq', ...specs], { cwd: directory })
    return new Map((await readdir(directory)).map((file) => [file.slice(0, file.indexOf('_')), join(directory, file)]))
  }

  async #get(...args: string[]): Promise<void> {
    await run('apt-get', [...this.#options, ...args], { maxBuffer: 2 ** 24 })
  }
}

/** Unpacks a package after comparing it with what is pinned. @returns its control file */
export async function unpack(archive: string, pinned: Pinned, directory: string): Promise<string> {
  const sha256 = await digestOf(archive)
  if (sha256 !== pinned.sha256) throw new Error(`${archive} has sha256 ${sha256}, pinned is ${pinned.sha256}`)
  await mkdir(directory, { recursive: true })
  await run('dpkg-deb', ['--extract', archive, directory])
  const { stdout } = await run('dpkg-deb', ['--field', archive])
  await rm(archive)
  return stdout
}

/** What is pinned of a package that was fetched. */
export async function pin(archive: string): Promise<Pinned> {
  const { stdout } = await run('dpkg-deb', ['--field', archive, 'Version'])
  return { version: stdout.trim(), sha256: await digestOf(archive) }
}

async function digestOf(file: string): Promise<string> {
  return hash('sha256', await readFile(file))
}
