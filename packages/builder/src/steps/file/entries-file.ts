/**
 * The file in which selected entries travel from the main process, which fingerprints them, to the worker, which copies
 * them: one JSON array per line, in order.
 */

import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import type { SelectedEntry } from '../../graph/file-op.ts'

const CHUNK = 256 * 1024

/** Writes entries to a new file that only its owner can read. */
export async function writeEntries(path: string, entries: Iterable<SelectedEntry>): Promise<void> {
  await using file = await open(path, 'wx', 0o600)
  let text = ''
  for (const entry of entries) {
    text += `${encode(entry)}\n`
    if (text.length < CHUNK) continue
    await file.appendFile(text)
    text = ''
  }
  await file.appendFile(text)
}

/** Reads what {@link writeEntries} wrote. */
export async function* readEntries(path: string): AsyncGenerator<SelectedEntry> {
  const stream = createReadStream(path, { highWaterMark: CHUNK })
  try {
    for await (const line of createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY })) yield decode(line)
  } finally {
    stream.destroy()
  }
}

type Row = [
  source: string,
  target: string,
  type: SelectedEntry['type'],
  mode: number,
  uid: number,
  gid: number,
  size: number,
  mtimeNs: string,
  ctimeNs: string,
  nlink: number,
  dev: string,
  ino: string,
  rdev: string,
  linkname: string | null,
  name: string | null,
  implied: boolean,
]

function encode(e: SelectedEntry): string {
  const row: Row = [
    e.source,
    e.target,
    e.type,
    e.mode,
    e.uid,
    e.gid,
    e.size,
    String(e.mtimeNs),
    String(e.ctimeNs),
    e.nlink,
    String(e.dev),
    String(e.ino),
    String(e.rdev),
    e.linkname ?? null,
    e.name ?? null,
    e.implied === true,
  ]
  return JSON.stringify(row)
}

function decode(line: string): SelectedEntry {
  const [source, target, type, mode, uid, gid, size, mtimeNs, ctimeNs, nlink, dev, ino, rdev, linkname, name, implied] =
    JSON.parse(line) as Row
  return {
    source,
    target,
    type,
    mode,
    uid,
    gid,
    size,
    mtimeNs: BigInt(mtimeNs),
    ctimeNs: BigInt(ctimeNs),
    nlink,
    dev: BigInt(dev),
    ino: BigInt(ino),
    rdev: BigInt(rdev),
    ...(linkname !== null && { linkname }),
    ...(name !== null && { name }),
    ...(implied && { implied }),
  }
}
