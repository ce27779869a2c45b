/** The seals of committed snapshots, each in a file beside the content that it is of. See seal.ts. */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type Depth, hasSealedDirectories, isStillSealed, sealOf } from './seal.ts'
import type { SnapshotId } from './snapshotter.ts'

export class Seals {
  readonly #content: (id: SnapshotId) => string
  /** Whose files were all looked at here. */
  readonly #seen = new Set<SnapshotId>()

  /** @param content where the content of a snapshot lies */
  constructor(content: (id: SnapshotId) => string) {
    this.#content = content
  }

  /** Has a snapshot that is finished say how it looks. */
  write(id: SnapshotId): void {
    const content = this.#content(id)
    const path = join(dirname(content), 'seal')
    const temporary = `${path}.${process.pid}`
    writeFileSync(temporary, sealOf(content))
    renameSync(temporary, path)
    this.#seen.add(id)
  }

  forget(id: SnapshotId): void {
    this.#seen.delete(id)
  }

  /** Whether nothing has come or gone. */
  isWhole(id: SnapshotId): boolean {
    const content = this.#content(id)
    const seal = readSeal(content)
    return seal === undefined ? existsSync(content) : hasSealedDirectories(content, seal)
  }

  /** Whether it is as it was finished, as closely as is asked. Every file is looked at once: that is what takes time. */
  async isUnchanged(id: SnapshotId, depth: Depth): Promise<boolean> {
    if (depth === 'directories' || this.#seen.has(id)) return this.isWhole(id)
    const content = this.#content(id)
    const seal = readSeal(content)
    const whole = seal === undefined ? existsSync(content) : await isStillSealed(content, seal)
    if (whole) this.#seen.add(id)
    return whole
  }
}

/** undefined when its maker was killed before it was sealed, or is about to do it. */
function readSeal(content: string): string | undefined {
  try {
    return readFileSync(join(dirname(content), 'seal'), 'utf8')
  } catch {
    return undefined
  }
}
