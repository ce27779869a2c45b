/** What a build takes from a lock file: digests and commits of the sources that the Dockerfile leaves open. */
import {
  gitKey,
  httpKey,
  imageKey,
  isCommit,
  type LockEntry,
  type LockKey,
  lockErrors,
  lockKey,
} from '../lockfile/index.ts'
import type { SourcePins } from '../plan/context.ts'
import type { Location } from '../source.ts'
import { parseGitUrl } from '../util/git-url.ts'

/** Asked for every source before it is looked up. */
export interface Pins extends SourcePins {
  /** The name to look an image up by. */
  image(reference: string, at: Location | undefined): string
}

export interface PinOptions {
  readonly entries: readonly LockEntry[]
  /** Of the lock file. */
  readonly path: string
  /** Refuse what has no entry. */
  readonly locked: boolean
  /** Told once of each source that has no entry. */
  readonly onMissing: (source: string) => void
}

export class LockedPins implements Pins {
  readonly #options: PinOptions
  readonly #digests: ReadonlyMap<string, string>
  readonly #missing = new Set<string>()

  constructor(options: PinOptions) {
    this.#options = options
    this.#digests = new Map(options.entries.map((entry) => [lockKey(entry), entry.digest]))
  }

  image(reference: string, at: Location | undefined): string {
    const key = imageKey(reference)
    const digest = key && this.#digest(key, at)
    return digest === undefined ? reference : `${key!.source}@${digest}`
  }

  http(url: string, at: Location | undefined): string | undefined {
    return this.#digest(httpKey(url), at)
  }

  git(url: string, ref: string | undefined, at: Location | undefined): string | undefined {
    return isCommit(ref) ? undefined : this.#digest(gitKey(url, ref), at)
  }

  #digest(key: LockKey, at: Location | undefined): string | undefined {
    const digest = this.#digests.get(lockKey(key))
    if (digest !== undefined) return digest
    const { locked, path, onMissing } = this.#options
    if (locked) throw lockErrors.lockIncomplete([key.source, path], { at })
    if (!this.#missing.has(lockKey(key))) onMissing(key.source)
    this.#missing.add(lockKey(key))
    return undefined
  }
}

/** What of a context that is fetched is locked; undefined when its location says it itself, or nothing is fetched. */
export function contextPin(location: string, pins: SourcePins): string | undefined {
  const git = parseGitUrl(location, true)
  if (git !== undefined) return git.checksum === undefined ? pins.git(git.remote, git.ref, undefined) : undefined
  return /^https?:\/\//.test(location) ? pins.http(location, undefined) : undefined
}
