/**
 * A digest of what a COPY would write: names, types, modes, owners where they are kept, extended attributes, link targets,
 * devices, contents. As in the reference, times do not count, nor does where in the tree the files lie, so a touched or
 * moved file does not invalidate anything.
 *
 * What is hashed is a list of texts that each end with a NUL, which no name has, and whose number follows from those
 * before: no two selections give the same one.
 */

import { createHash } from 'node:crypto'
import type { Tree, TreeNode } from '../../context/tree.ts'
import { throwIfAborted } from '../../errors.ts'
import { digestOfContent } from '../../util/content.ts'
import { encodePath } from '../../util/raw-path.ts'
import type { SelectedEntry } from './select.ts'
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
  /** Gets what each entry's content was hashed as: a digest, what a link names, '' where there is nothing. */
  readonly contents?: string[] | undefined
  readonly signal?: AbortSignal | undefined
}

/** Text that is hashed at once. */
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
  const { statCache, owners = false, now = Date.now(), contents, signal } = options
  const digest = createHash('sha256')
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
      add(entry.node.type === 'directory' ? 'contents\0' : `source\0${entry.name}\0`)
      if (entry.node.type === 'directory') {
        contents?.push('')
        continue
      }
    }
    const { node } = entry
    const owner = owners ? `${node.uid}:${node.gid}` : ''
    add(`${node.type}\0${entry.target}\0${node.mode.toString(8)}\0${owner}\0${entry.implied ? 'implied' : ''}\0`)
    const xattrs = copiedXattrs(tree, entry.source)
    add(`${xattrs.length}\0`)
    for (const [name, value] of xattrs) add(`${name}\0${value.toString('base64')}\0`)
    let content = ''
    if (node.type === 'file') {
      const first = node.nlink > 1 ? linkOf(links, node, index) : undefined
      content = first === undefined ? contentDigest(tree, entry, statCache, started) : `link ${first}`
    } else if (node.type === 'symlink') content = node.linkname ?? ''
    else if (node.type === 'char' || node.type === 'block') content = String(node.rdev)
    contents?.push(content)
    add(`${content}\0`)
  }
  return digest.update(text).digest('hex')
}

/** The number of the entry that is the same file, undefined for its first name. */
function linkOf(links: Map<string, number>, { dev, ino }: TreeNode, index: number): number | undefined {
  const key = `${dev}:${ino}`
  const first = links.get(key)
  if (first === undefined) links.set(key, index)
  return first
}

function contentDigest(tree: Tree, { source, node }: SelectedEntry, cache: StatCache | undefined, now: bigint): string {
  const told = tree.digest?.(source)
  if (told !== undefined) return told
  const key = `${node.dev}:${node.ino}:${node.size}:${node.mtimeNs}:${node.ctimeNs}`
  const known = cache?.get(key)
  if (known !== undefined) return known
  const value = digestOfContent(tree.content(source, node), node.size)
  if (isSettled(node.ctimeNs, now)) cache?.set(key, value)
  return value
}

/** Whether a change after `now` would have given the inode another time; both in nanoseconds since the epoch. */
export function isSettled(ctimeNs: bigint, now: bigint): boolean {
  return ctimeNs < now - (ctimeNs % 1_000_000_000n === 0n ? COARSE_RACY_NS : RACY_NS)
}
