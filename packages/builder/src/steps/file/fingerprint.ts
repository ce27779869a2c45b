/**
 * A digest of what a COPY would write: names, types, modes, owners where they are kept, extended attributes, link targets,
 * devices, contents. As in the reference, times do not count, nor does where in the tree the files lie, so a touched or
 * moved file does not invalidate anything.
 *
 * What is hashed is a list of texts that each end with a NUL, which no name has, and whose number follows from those
 * before: no two selections give the same one.
 */

import { createHash, hash } from 'node:crypto'
import { closeSync, readSync } from 'node:fs'
import { contextErrors } from '../../context/errors.ts'
import { isSame } from '../../context/local.ts'
import type { Tree } from '../../context/tree.ts'
import { throwIfAborted } from '../../errors.ts'
import type { SelectedEntry } from '../../graph/file-op.ts'
import { encodePath } from '../../util/raw-path.ts'
import { copiedXattrs } from './xattrs.ts'

/**
 * Digests of file contents by what stat tells about them, kept by the caller from build to build. Keys and values are
 * short texts without line breaks.
 */
export interface StatCache {
  get(key: string): string | undefined
  set(key: string, value: string): void
}

export interface FingerprintOptions {
  readonly statCache?: StatCache | undefined
  /** Whether owners of the source are kept and so belong to the result. */
  readonly owners?: boolean
  /** Milliseconds since the epoch, for {@link StatCache}. */
  readonly now?: number
  readonly signal?: AbortSignal | undefined
}

/** Files up to this size are read at once. */
const BUFFER_SIZE = 256 * 1024
/** A file whose inode changed less than this before it was read might change again within the clock's resolution. */
const RACY_NS = 100_000_000n
/** The same where times seem to be whole seconds, as on some file systems; there are such with two of them. */
const COARSE_RACY_NS = 2_100_000_000n
/** Milliseconds of work after which others get their turn. */
const SLICE_MS = 20

/**
 * The digest of the entries that {@link select} chose from `tree`: 64 hexadecimal digits.
 *
 * @throws BuildError CONTEXT_CHANGED if a file is no longer what was selected
 */
export async function fingerprint(
  tree: Tree,
  entries: Iterable<SelectedEntry>,
  options: FingerprintOptions = {},
): Promise<string> {
  const { statCache, owners = false, now = Date.now(), signal } = options
  const digest = createHash('sha256')
  const buffer = new ReadBuffer()
  const started = BigInt(Math.trunc(now)) * 1_000_000n
  let links = new Map<string, number>()
  let until = performance.now() + SLICE_MS
  let text = ''
  const add = (line: string) => {
    if (line.isWellFormed()) {
      text += line
      if (text.length < BUFFER_SIZE) return
      digest.update(text)
    } else digest.update(text).update(encodePath(line))
    text = ''
  }
  let index = 0
  for (const entry of entries) {
    if (performance.now() > until) {
      throwIfAborted(signal)
      await new Promise((resolve) => setImmediate(resolve))
      until = performance.now() + SLICE_MS
    }
    index++
    if (entry.name !== undefined) {
      links = new Map()
      // Of a directory the content is copied: neither its name nor its mode has any effect.
      add(entry.type === 'directory' ? 'contents\0' : `source\0${entry.name}\0`)
      if (entry.type === 'directory') continue
    }
    const owner = owners ? `${entry.uid}:${entry.gid}` : ''
    add(`${entry.type}\0${entry.target}\0${entry.mode.toString(8)}\0${owner}\0${entry.implied ? 'implied' : ''}\0`)
    const xattrs = copiedXattrs(tree, entry.source)
    add(`${xattrs.length}\0`)
    for (const [name, value] of xattrs) add(`${name}\0${value.toString('base64')}\0`)
    if (entry.type === 'file') {
      const first = entry.nlink > 1 ? linkOf(links, entry, index) : undefined
      add(first === undefined ? contentDigest(tree, entry, buffer, statCache, started) : `link ${first}`)
    } else if (entry.type === 'symlink') add(entry.linkname ?? '')
    else if (entry.type === 'char' || entry.type === 'block') add(String(entry.rdev))
    add('\0')
  }
  return digest.update(text).digest('hex')
}

/** The number of the entry that is the same file, undefined for its first name. */
function linkOf(links: Map<string, number>, entry: SelectedEntry, index: number): number | undefined {
  const key = `${entry.dev}:${entry.ino}`
  const first = links.get(key)
  if (first === undefined) links.set(key, index)
  return first
}

function contentDigest(
  tree: Tree,
  entry: SelectedEntry,
  buffer: ReadBuffer,
  cache: StatCache | undefined,
  now: bigint,
): string {
  const key = `${entry.dev}:${entry.ino}:${entry.size}:${entry.mtimeNs}:${entry.ctimeNs}`
  const known = cache?.get(key)
  if (known !== undefined) return known
  const fd = tree.open(entry.source, entry)
  try {
    const value = hashContent(fd, entry.size, buffer.for(entry.size))
    if (value === undefined || !isSame(fd, entry)) throw contextErrors.changed([entry.source])
    if (isSettled(entry.ctimeNs, now)) cache?.set(key, value)
    return value
  } finally {
    closeSync(fd)
  }
}

/** Whether a change after `now` would have given the inode another time; both in nanoseconds since the epoch. */
export function isSettled(ctimeNs: bigint, now: bigint): boolean {
  return ctimeNs < now - (ctimeNs % 1_000_000_000n === 0n ? COARSE_RACY_NS : RACY_NS)
}

/** sha256 of exactly `size` bytes, undefined if there are more or less. */
function hashContent(fd: number, size: number, buffer: Buffer): string | undefined {
  if (size < buffer.length) {
    const length = fill(fd, buffer)
    return length === size ? hash('sha256', buffer.subarray(0, length), 'hex') : undefined
  }
  const whole = createHash('sha256')
  let total = 0
  for (let length = fill(fd, buffer); length > 0; length = fill(fd, buffer)) {
    whole.update(buffer.subarray(0, length))
    total += length
  }
  return total === size ? whole.digest('hex') : undefined
}

function fill(fd: number, buffer: Buffer): number {
  let length = 0
  while (length < buffer.length) {
    const read = readSync(fd, buffer, length, buffer.length - length, null)
    if (read === 0) break
    length += read
  }
  return length
}

/** One buffer for all files, no larger than they need: most COPY instructions take a few small files or none anew. */
class ReadBuffer {
  #buffer = Buffer.alloc(0)

  /** A byte more than the file has shows that it has grown. */
  for(size: number): Buffer {
    const needed = Math.min(BUFFER_SIZE, size + 1)
    if (this.#buffer.length < needed)
      this.#buffer = Buffer.allocUnsafe(Math.min(BUFFER_SIZE, Math.max(needed, 2 * this.#buffer.length)))
    return this.#buffer
  }
}
