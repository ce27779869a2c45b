/**
 * Digests of context files by what stat says of them, kept from build to build, one file per context. Losing it costs a
 * reading of the context, nothing else.
 */
import { hash } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { replaceFile } from '../export/atomic.ts'
import type { StatCache } from '../steps/file/fingerprint.ts'
import { makeDirectorySync } from '../util/make-directory.ts'

const HEADER = 'tsbuild stat cache 2'

export class FileStatCache implements StatCache {
  readonly #path: string
  readonly #old: ReadonlyMap<string, string>
  /** Only what this build looked at is kept, so the file does not grow for ever. */
  readonly #used = new Map<string, string>()
  #changed = false

  private constructor(path: string, old: ReadonlyMap<string, string>) {
    this.#path = path
    this.#old = old
  }

  /** Opens the cache of the context `name` below the store's directory. */
  static async open(root: string, name: string): Promise<FileStatCache> {
    const path = join(root, 'stat-cache', hash('sha256', name).slice(0, 32))
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
    return new FileStatCache(path, old)
  }

  get(key: string): string | undefined {
    const value = this.#used.get(key) ?? this.#old.get(key)
    if (value !== undefined) this.#used.set(key, value)
    return value
  }

  set(key: string, value: string): void {
    this.#used.set(key, value)
    this.#changed = true
  }

  /** Writes the file if something new was learned. */
  async save(): Promise<void> {
    if (!this.#changed) return
    makeDirectorySync(dirname(this.#path), 0o700)
    const body = [...this.#used].map(([key, value]) => `${key}\t${value}\n`).join('')
    await replaceFile(this.#path, (temporary) =>
      writeFile(temporary, `${HEADER} ${hash('sha256', body)}\n${body}`, { mode: 0o600 }),
    )
  }
}
