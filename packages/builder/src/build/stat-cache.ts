/**
 * Digests of context files by what stat says of them, kept from build to build, one file per context. Losing it costs a
 * reading of the context, nothing else.
 *
 * It rests on the inode's time: the kernel sets it whenever a file changes, and nobody else can. There are file systems
 * where that is not so (images that are only read, those of other systems, those that other machines or programs serve),
 * and files on them are always read.
 */
import { hash } from 'node:crypto'
import { statfsSync, statSync } from 'node:fs'
import { readFile, utimes, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { replaceFile } from '../export/atomic.ts'
import type { StatCache } from '../steps/file/fingerprint.ts'
import { makeDirectorySync } from '../util/make-directory.ts'

const HEADER = 'tsbuild stat cache 2'

/** statfs(2)'s numbers of Linux file systems that keep the inode's time themselves: ext, XFS, Btrfs, tmpfs, overlay, ZFS, F2FS, bcachefs. */
const KEEP_TIMES = new Set([0xef53, 0x58465342, 0x9123683e, 0x01021994, 0x794c7630, 0x2fc12fc1, 0xf2f52010, 0xca451a4e])

export class FileStatCache implements StatCache {
  readonly #path: string
  /** How the keys of files begin that are on the context's own file system; undefined where that does not keep times. */
  readonly #prefix: string | undefined
  readonly #old: ReadonlyMap<string, string>
  /** Only what this build looked at is kept, so the file does not grow for ever. */
  readonly #used = new Map<string, string>()
  #changed = false

  private constructor(path: string, prefix: string | undefined, old: ReadonlyMap<string, string>) {
    this.#path = path
    this.#prefix = prefix
    this.#old = old
  }

  /** Opens the cache of the context in `directory` below the store's directory. */
  static async open(root: string, directory: string): Promise<FileStatCache> {
    const path = join(root, 'stat-cache', hash('sha256', directory).slice(0, 32))
    const text = await readFile(path, 'utf8').catch(() => '')
    const end = text.indexOf('\n')
    const body = text.slice(end + 1)
    const old = new Map<string, string>()
    if (text.slice(0, end) === `${HEADER} ${hash('sha256', body)}`) {
      for (const line of body.split('\n')) {
        const tab = line.lastIndexOf('\t')
        if (tab > 0) old.set(line.slice(0, tab), line.slice(tab + 1))
      }
    }
    return new FileStatCache(path, prefixOf(directory), old)
  }

  get(key: string): string | undefined {
    if (!this.#trusts(key)) return undefined
    const value = this.#used.get(key) ?? this.#old.get(key)
    if (value !== undefined) this.#used.set(key, value)
    return value
  }

  set(key: string, value: string): void {
    if (!this.#trusts(key)) return
    this.#used.set(key, value)
    this.#changed = true
  }

  #trusts(key: string): boolean {
    return this.#prefix !== undefined && key.startsWith(this.#prefix)
  }

  /** Writes the file if something new was learned, else notes that it was of use. */
  async save(): Promise<void> {
    if (!this.#changed) {
      const now = new Date()
      if (this.#used.size > 0) await utimes(this.#path, now, now).catch(() => undefined)
      return
    }
    makeDirectorySync(dirname(this.#path), 0o700)
    const body = [...this.#used].map(([key, value]) => `${key}\t${value}\n`).join('')
    await replaceFile(this.#path, (temporary) =>
      writeFile(temporary, `${HEADER} ${hash('sha256', body)}\n${body}`, { mode: 0o600 }),
    )
  }
}

/** Other file systems that are mounted below the context are not looked at. */
function prefixOf(directory: string): string | undefined {
  try {
    if (process.platform === 'linux' && !KEEP_TIMES.has(statfsSync(directory).type)) return undefined
    return `${statSync(directory, { bigint: true }).dev}:`
  } catch {
    // Not a directory: a context from elsewhere.
    return undefined
  }
}
