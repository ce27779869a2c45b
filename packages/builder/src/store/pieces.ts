/**
 * Where in the blobs of the store compressed pieces of layers are, by the digest of what they hold: so a layer of which
 * little has changed need not be compressed again.
 *
 * There is a record for each blob, a table of its pieces; the bytes themselves are only in the blob. Tables and blobs may go
 * at any time, and what they say is no proof of anything: who uses a piece looks whether it is the right one.
 */
import { hash } from 'node:crypto'
import { closeSync, constants, openSync, readSync } from 'node:fs'
import { schema } from '@tsbuild/registry-client'
import type { ContentStore } from './content-store.ts'
import type { RecordInfo, Records } from './records.ts'

const KIND = 'pieces'
/** Bytes of all tables; those that were used least recently go first. */
const MOST_BYTES = 4 * 1024 * 1024
/** Longer pieces are none. */
const LONGEST = 4 * 1024 * 1024

/** Layout of a table's rows. */
const [DIGEST_AT, OFFSET_AT, LENGTH_AT, ROW] = [32, 64, 70, 74]

/** Pieces that were compressed in one way, while a layer is packed. Disposing says which blobs were of use. */
export interface KnownPieces extends AsyncDisposable {
  /** A piece as it was compressed, or undefined. It is as it was written, if the table tells the truth. */
  find(key: Buffer): Buffer | undefined
}

export interface Pieces {
  /** @param format how pieces were compressed: others are not found */
  open(format: string): Promise<KnownPieces>
  /** Remembers where pieces are in a blob of the store. */
  save(blob: string, table: PieceTable): Promise<void>
}

/** The pieces of a blob. */
export interface PieceTable {
  readonly format: string
  readonly rows: Uint8Array
}

/** A table while its blob is written. */
export class PieceRows {
  readonly #rows: Buffer[] = []

  /**
   * Adds a piece, unless it is easier made than found.
   *
   * @param key digest of what it is made of
   * @param parts its bytes, which stand at `offset` in the blob
   * @param size bytes before compression
   */
  add(key: Buffer, parts: readonly Buffer[], offset: number, size: number): void {
    const length = parts.reduce((sum, part) => sum + part.length, 0)
    if (length >= size) return
    const row = Buffer.alloc(ROW)
    key.copy(row)
    hash('sha256', parts.length === 1 ? parts[0]! : Buffer.concat(parts), 'buffer').copy(row, DIGEST_AT)
    row.writeUIntBE(offset, OFFSET_AT, LENGTH_AT - OFFSET_AT)
    row.writeUInt32BE(length, LENGTH_AT)
    this.#rows.push(row)
  }

  table(format: string): PieceTable | undefined {
    return this.#rows.length === 0 ? undefined : { format, rows: Buffer.concat(this.#rows) }
  }
}

interface Stored {
  readonly format: string
  /** In base64. */
  readonly rows: string
}

const storedSchema = schema.object<Stored>({ format: schema.text, rows: schema.text })

export function openPieces(records: Records, blobs: Pick<ContentStore, 'path'>): Pieces {
  return {
    async open(format) {
      const found = new Found(blobs, records)
      for await (const { key, value } of records.values(KIND)) {
        const table = parse(value)
        if (table?.format === format) found.add(key, Buffer.from(table.rows, 'base64'))
      }
      return found
    },
    async save(blob, { format, rows }) {
      const value: Stored = { format, rows: Buffer.from(rows).toString('base64') }
      await records.put(KIND, blob, value, { blobs: [blob] })
      const all: RecordInfo[] = await Array.fromAsync(records.list(KIND))
      let bytes = 0
      for (const { key, size } of all.sort((a, b) => b.lastUsed - a.lastUsed)) {
        bytes += size
        if (bytes > MOST_BYTES && key !== blob) await records.remove(KIND, key)
      }
    },
  }
}

function parse(value: unknown): Stored | undefined {
  try {
    return storedSchema(value, '')
  } catch {
    return undefined
  }
}

class Found implements KnownPieces {
  readonly #blobs: Pick<ContentStore, 'path'>
  readonly #records: Records
  readonly #rows = new Map<string, { readonly blob: string; readonly row: Buffer }>()
  /** Descriptors of blobs; undefined for one that cannot be used. */
  readonly #files = new Map<string, number | undefined>()
  readonly #used = new Set<string>()

  constructor(blobs: Pick<ContentStore, 'path'>, records: Records) {
    this.#blobs = blobs
    this.#records = records
  }

  add(blob: string, rows: Buffer): void {
    for (let at = 0; at + ROW <= rows.length; at += ROW) {
      const row = rows.subarray(at, at + ROW)
      this.#rows.set(row.toString('latin1', 0, DIGEST_AT), { blob, row })
    }
  }

  find(key: Buffer): Buffer | undefined {
    const known = this.#rows.get(key.toString('latin1'))
    const file = known && this.#open(known.blob)
    const length = known?.row.readUInt32BE(LENGTH_AT) ?? 0
    if (known === undefined || file === undefined || length > LONGEST) return undefined
    const { blob, row } = known
    const bytes = Buffer.allocUnsafe(length)
    if (!readAll(file, bytes, row.readUIntBE(OFFSET_AT, LENGTH_AT - OFFSET_AT))) return undefined
    if (hash('sha256', bytes, 'buffer').compare(row, DIGEST_AT, OFFSET_AT) !== 0) return undefined
    this.#used.add(blob)
    return bytes
  }

  #open(blob: string): number | undefined {
    if (this.#files.has(blob)) return this.#files.get(blob)
    let file: number | undefined
    try {
      file = openSync(this.#blobs.path(blob), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    } catch {
      // Pruned, or never what a digest is.
    }
    this.#files.set(blob, file)
    return file
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const file of this.#files.values()) if (file !== undefined) closeSync(file)
    this.#files.clear()
    for (const blob of this.#used) await this.#records.get(KIND, blob)
  }
}

function readAll(file: number, into: Buffer, offset: number): boolean {
  try {
    for (let at = 0; at < into.length; ) {
      const read = readSync(file, into, at, into.length - at, offset + at)
      if (read === 0) return false
      at += read
    }
    return true
  } catch {
    return false
  }
}
