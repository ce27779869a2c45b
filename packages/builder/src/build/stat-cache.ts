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
import { utimes, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { replaceFile } from '../export/atomic.ts'
import type { StatCache } from '../steps/file/fingerprint.ts'
import { makeDirectorySync } from '../util/make-directory.ts'
import { readPlainFile } from '../util/plain-file.ts'

const HEADER = 'tsbuild stat cache 2'
/** Of a cache that is read: a million files. */
const MAX_BYTES = 256 * 1024 * 1024

/** statfs(2)'s numbers of Linux file systems that keep the inode's time themselves: ext, XFS, Btrfs, tmpfs, overlay, ZFS, F2FS, bcachefs. */
const KEEP_TIMES = new Set([0xef53, 0x58465342, 0x9123683e, 0x01021994, 0x794c7630, 0x2fc12fc1, 0xf2f52010, 0xca451a4e])

export class FileStatCache implements StatCache {
  readonly #path: string
  /** How the keys of files begin that are on the context's own file system; undefined where that does not keep times. */
  readonly #prefix: string | undefined
  /** Of earlier builds: a key, a tab and a value each, in the order in which they were asked for. */
  readonly #old: readonly string[]
  /** The line that is probably asked for next. */
  #next = 0
  /** Where each key is; made when something was asked for in another order. */
  #places: ReadonlyMap<string, number> | undefined
  /** Lines that this build looked at: only they are kept, so the file does not grow for ever. */
  readonly #used: string[] = []
  readonly #learned = new Map<string, string>()

  private constructor(path: string, prefix: string | undefined, old: readonly string[]) {
    this.#path = path
    this.#prefix = prefix
    this.#old = old
  }

  /** Opens the cache of the context in `directory` below the store's directory. */
  static async open(root: string, directory: string): Promise<FileStatCache> {
    const path = join(root, 'stat-cache', hash('sha256', directory).slice(0, 32))
    const bytes = (await readPlainFile(path, MAX_BYTES)) ?? Buffer.of()
    const end = bytes.indexOf(10)
    const body = bytes.subarray(end + 1)
    const isWhole = bytes.toString('latin1', 0, Math.max(0, end)) === `${HEADER} ${hash('sha256', body)}`
    return new FileStatCache(path, prefixOf(directory), isWhole ? body.toString('latin1').split('\n') : [])
  }

  get(key: string): string | undefined {
    if (!this.#trusts(key)) return undefined
    const learned = this.#learned.get(key)
    if (learned !== undefined) return learned
    const at = this.#find(key)
    if (at === undefined) return undefined
    this.#next = at + 1
    const line = this.#old[at]!
    this.#used.push(line)
    return line.slice(key.length + 1)
  }

  /** Files are walked in the same order each time, so hardly any has to be looked for. */
  #find(key: string): number | undefined {
    const next = this.#old[this.#next]
    if (next?.startsWith(key) && next[key.length] === '\t') return this.#next
    this.#places ??= new Map(this.#old.map((line, at) => [line.slice(0, line.indexOf('\t')), at]))
    return this.#places.get(key)
  }

  set(key: string, value: string): void {
    if (this.#trusts(key)) this.#learned.set(key, value)
  }

  #trusts(key: string): boolean {
    return this.#prefix !== undefined && key.startsWith(this.#prefix)
  }

  /** Writes the file if something new was learned, else notes that it was of use. */
  async save(): Promise<void> {
    if (this.#learned.size === 0) {
      const now = new Date()
      if (this.#used.length > 0) await utimes(this.#path, now, now).catch(() => undefined)
      return
    }
    makeDirectorySync(dirname(this.#path), 0o700)
    const lines = new Set(this.#used)
    for (const [key, value] of this.#learned) lines.add(`${key}\t${value}`)
    const body = Buffer.from([...lines, ''].join('\n'), 'latin1')
    await replaceFile(this.#path, (temporary) =>
      writeFile(temporary, [Buffer.from(`${HEADER} ${hash('sha256', body)}\n`), body], { mode: 0o600 }),
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
