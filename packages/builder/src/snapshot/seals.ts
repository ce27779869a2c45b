/** The seals of committed snapshots, each in a file beside the content that it is of. See seal.ts. */
import { readFileSync, writeFileSync } from 'node:fs'
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

  /** Notes that all files of a snapshot are as its seal says: it was just made. */
  trust(id: SnapshotId): void {
    this.#seen.add(id)
  }

  forget(id: SnapshotId): void {
    this.#seen.delete(id)
  }

  /** Whether nothing has come or gone. */
  isWhole(id: SnapshotId): boolean {
    const content = this.#content(id)
    const seal = readSeal(content)
    return seal !== undefined && hasSealedDirectories(content, seal)
  }

  /** Whether it is as it was finished, as closely as is asked. Every file is looked at once: that is what takes time. */
  async isUnchanged(id: SnapshotId, depth: Depth): Promise<boolean> {
    if (depth === 'directories' || this.#seen.has(id)) return this.isWhole(id)
    const content = this.#content(id)
    const seal = readSeal(content)
    const whole = seal !== undefined && (await isStillSealed(content, seal))
    if (whole) this.#seen.add(id)
    return whole
  }
}

/** Has content that is finished, and has not got its name yet, say how it looks. */
export function writeSeal(content: string): void {
  writeFileSync(sealFile(content), sealOf(content))
}

function sealFile(content: string): string {
  return join(dirname(content), 'seal')
}

/** undefined when something else has deleted it. */
function readSeal(content: string): string | undefined {
  try {
    return readFileSync(sealFile(content), 'utf8')
  } catch {
    return undefined
  }
}
