/**
 * The files that a COPY took, by the fingerprint that stands for them in its key: what was in a directory is compared
 * with what is there now. A listing is made of what fingerprinting knows already; nothing is read for it.
 */
import type { FileChange } from '../explanation.ts'
import type { Records } from '../store/records.ts'
import { pack, unpack } from './packed.ts'

const KIND = 'listing'
/** How many changes are told. */
const TOLD = 10

/** One entry: what decides whether a file is the same. Texts without tabs and line feeds. */
export interface ListedFile {
  /** What it is compared by: where it stands among the files that are taken, wherever these are taken from. */
  readonly name: string
  /** In the source, as it is told. */
  readonly path: string
  readonly type: string
  /** Octal digits. */
  readonly mode: string
  /** `uid:gid`. */
  readonly owner: string
  /** Digest of the content, or what a link names, or ''. */
  readonly content: string
}

/** What is known of files by their fingerprints: of this build, and of earlier ones. */
export class Listings {
  readonly #records: Records
  /** Those of this build. */
  readonly #seen = new Map<string, () => Iterable<ListedFile>>()

  constructor(records: Records) {
    this.#records = records
  }

  /** @param files called when somebody asks, or when the listing is saved */
  note(fingerprint: string, files: () => Iterable<ListedFile>): void {
    // Stages that have the files of a context have its fingerprint: where they come from is told.
    if (!this.#seen.has(fingerprint)) this.#seen.set(fingerprint, files)
  }

  /** Remembers a listing of this build for later ones. */
  async save(fingerprint: string): Promise<void> {
    const files = this.#seen.get(fingerprint)
    if (files === undefined || (await this.#records.get(KIND, fingerprint)) !== undefined) return
    const lines = Array.from(files(), ({ name, path, type, mode, owner, content }) =>
      [JSON.stringify(path), type, mode, owner, JSON.stringify(content), JSON.stringify(name)].join('\t'),
    )
    const packed = await pack(lines.join('\n'))
    if (packed !== undefined) await this.#records.put(KIND, fingerprint, packed)
  }

  /** Compares the files of two fingerprints; undefined where one of them is not remembered. */
  async compare(before: string, after: string): Promise<ListingDifference | undefined> {
    const [old, now] = await Promise.all([this.#load(before), this.#load(after)])
    if (old === undefined || now === undefined) return undefined
    const changes = [...now.values()].flatMap((file) => change(old.get(file.name), file) ?? [])
    for (const file of old.values()) if (!now.has(file.name)) changes.push(told(file.path, 'removed'))
    return { changes: changes.slice(0, TOLD), changed: changes.length, total: now.size }
  }

  async #load(fingerprint: string): Promise<Map<string, ListedFile> | undefined> {
    const seen = this.#seen.get(fingerprint)
    if (seen) return new Map(Array.from(seen(), (file) => [file.name, file]))
    const stored = await this.#records.get<unknown>(KIND, fingerprint)
    if (typeof stored !== 'string') return undefined
    return await unpack(stored, (text) => new Map(text.split('\n').map(parseLine)))
  }
}

function parseLine(line: string): [string, ListedFile] {
  const [path, type = '', mode = '', owner = '', content, last] = line.split('\t')
  const text = (column: string | undefined) => JSON.parse(column!) as string
  const name = text(last)
  return [name, { name, path: text(path), type, mode, owner, content: text(content) }]
}

/** What differs between two sets of files, paths in their order. */
export interface ListingDifference {
  /** The first ones. */
  readonly changes: readonly FileChange[]
  readonly changed: number
  /** Files that there are now. */
  readonly total: number
}

function change(old: ListedFile | undefined, now: ListedFile): FileChange | undefined {
  if (old === undefined) return told(now.path, 'added')
  if (old.type !== now.type) return told(now.path, 'type', old.type, now.type)
  if (old.content !== now.content) return told(now.path, 'content', old.content.slice(0, 12), now.content.slice(0, 12))
  if (old.mode !== now.mode) return told(now.path, 'mode', old.mode, now.mode)
  return old.owner === now.owner ? undefined : told(now.path, 'owner', old.owner, now.owner)
}

function told(path: string, kind: FileChange['change'], before?: string, after?: string): FileChange {
  return { path, change: kind, before, after }
}
