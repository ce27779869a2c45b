/**
 * The file in which selected entries travel from the main process, which fingerprints them, to the worker, which copies
 * them: pieces of many, each after its length.
 */
import { open } from 'node:fs/promises'
import { deserialize, serialize } from 'node:v8'
import type { SelectedEntry } from './select.ts'

/** Entries in a piece. */
const PIECE = 1000

/** Writes entries to a new file that only its owner can read. */
export async function writeEntries(path: string, entries: readonly SelectedEntry[]): Promise<void> {
  await using file = await open(path, 'wx', 0o600)
  for (let at = 0; at < entries.length; at += PIECE) {
    const piece = serialize(entries.slice(at, at + PIECE))
    const length = Buffer.alloc(4)
    length.writeUInt32LE(piece.length)
    await file.appendFile(Buffer.concat([length, piece]))
  }
}

/** Reads what {@link writeEntries} wrote. */
export async function* readEntries(path: string): AsyncGenerator<SelectedEntry> {
  await using file = await open(path)
  const length = Buffer.alloc(4)
  while ((await file.read(length)).bytesRead === length.length) {
    const { buffer } = await file.read(Buffer.alloc(length.readUInt32LE()))
    yield* deserialize(buffer) as SelectedEntry[]
  }
}
