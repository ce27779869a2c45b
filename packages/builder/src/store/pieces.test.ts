import { spawn } from 'node:child_process'
import {
  chmodSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  archive,
  type Compressed,
  compress,
  compressInto,
  counted,
  sourceTree,
  words,
} from '../layer/testing/compressed.ts'
import { sha256 } from '../layer/testing/tar.ts'
import { diskUsage, openStore, prune, type Store } from './index.ts'

let root: string
let store: Store

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'pieces-'))
  store = await openStore(root)
})

afterEach(() => rmSync(root, { recursive: true, force: true }))

const data = archive(sourceTree(400))
const recordsOf = async () => (await Array.fromAsync(store.records.list('pieces'))).map(({ key }) => key)

/** Compresses the same again. */
async function again(): Promise<{ result: Compressed; found: number }> {
  const pieces = counted(store.pieces)
  const result = await compress(data, { pieces })
  return { result, found: pieces.found }
}

describe('pieces', () => {
  it('take hardly any room beside the blob', async () => {
    const { size } = await compressInto(store, data)
    const [record] = await Array.fromAsync(store.records.list('pieces'))
    expect(record!.size).toBeLessThan(size / 200 + 400)
  })

  it('of small layers are not kept', async () => {
    expect((await compressInto(store, archive(sourceTree(10)))).pieces).toBeUndefined()
  })

  it('that were used least recently are forgotten first', async () => {
    const blob = (i: number) => sha256(String(i))
    const table = { format: 'x', rows: Buffer.alloc(74 * 10_000, 1) }
    for (const i of [0, 1, 2]) {
      await store.pieces.save(blob(i), table)
      const path = join(root, 'records/pieces', blobRecord(blob(i)))
      utimesSync(path, i, i)
    }
    await store.records.get('pieces', blob(0))
    await store.pieces.save(blob(3), table)
    await store.pieces.save(blob(4), table)
    expect((await recordsOf()).sort()).toEqual([0, 3, 4, 2].map(blob).sort())
  })

  it('that are of use count as used', async () => {
    const { digest } = await compressInto(store, data)
    const path = join(root, 'records/pieces', blobRecord(digest))
    utimesSync(path, 5, 5)
    await compress(archive(sourceTree(400, 9)), { pieces: store.pieces })
    expect((await Array.fromAsync(store.records.list('pieces')))[0]!.lastUsed).toBe(5000)
    await again()
    expect((await Array.fromAsync(store.records.list('pieces')))[0]!.lastUsed).toBeGreaterThan(1e12)
  })
})

const blobRecord = (digest: string) => sha256(digest).slice('sha256:'.length)

describe('what was damaged gives the bytes of a store without it', () => {
  const cases: Record<string, (blob: string, table: string) => void> = {
    'a blob that is gone': unlinkSync,
    'a blob that is cut off': (blob) => truncateSync(blob, 5000),
    'a blob with other bytes': (blob) => overwrite(blob, (bytes) => bytes.fill(0, 100)),
    'a blob with one other bit in each piece': (blob) =>
      overwrite(blob, (bytes) => {
        for (let at = 1000; at < bytes.length; at += 1000) bytes[at]! ^= 8
      }),
    'a table that is gone': (_, table) => unlinkSync(table),
    'a table that is cut off': (_, table) => truncateSync(table, 500),
    'a table with other bytes': (_, table) => overwrite(table, (bytes) => bytes.fill(0x41, 300, 400)),
  }
  it.each(Object.entries(cases))('%s', async (_name, damage) => {
    const { digest } = await compressInto(store, data)
    expect((await again()).found).toBeGreaterThan(2)
    damage(store.blobs.path(digest), join(root, 'records/pieces', blobRecord(digest)))
    const { result, found } = await again()
    expect([result.digest, found]).toEqual([digest, 0])
  })

  function overwrite(path: string, change: (bytes: Buffer) => unknown): void {
    chmodSync(path, 0o644)
    const bytes = readFileSync(path)
    change(bytes)
    writeFileSync(path, bytes)
  }
})

describe('tables that lie give the bytes of a store without them', () => {
  const ROW = 74
  const lies: Record<string, (rows: Buffer[]) => void> = {
    'a piece under the digest of another': (rows) => {
      const keys = rows.map((row) => Buffer.from(row.subarray(0, 32)))
      for (const [i, row] of rows.entries()) keys[(i + 1) % keys.length]!.copy(row)
    },
    'another place': (rows) => {
      for (const row of rows) row.writeUIntBE(row.readUIntBE(64, 6) + 1, 64, 6)
    },
    'far too many bytes': (rows) => {
      for (const row of rows) row.writeUInt32BE(0xffffffff, 70)
    },
    'behind the end': (rows) => {
      for (const row of rows) row.writeUIntBE(2 ** 47, 64, 6)
    },
    'no bytes': (rows) => {
      for (const row of rows) row.writeUInt32BE(0, 70)
    },
  }
  it.each(Object.entries(lies))('%s', async (_name, lie) => {
    const { digest, pieces } = await compressInto(store, data)
    const rows = Buffer.from(pieces!.rows)
    lie(Array.from({ length: rows.length / ROW }, (_, i) => rows.subarray(i * ROW, (i + 1) * ROW)))
    await store.pieces.save(digest, { ...pieces!, rows })
    expect((await again()).result.digest).toBe(digest)
  })

  it('of a blob that has no digest, or of rows that are none', async () => {
    const { digest, pieces } = await compressInto(store, data)
    await store.records.put('pieces', '../../etc/passwd', {
      format: pieces!.format,
      rows: Buffer.from(pieces!.rows).toString('base64'),
    })
    await store.records.put('pieces', sha256('a'), { format: pieces!.format, rows: '!!! nothing' })
    await store.records.put('pieces', sha256('b'), [1, 2])
    expect((await again()).result.digest).toBe(digest)
  })
})

describe('prune', () => {
  const later = () => Date.now() + 10_000

  it('knows tables, and takes them with their blobs', async () => {
    const { digest } = await compressInto(store, data)
    const usage = await diskUsage(store, undefined, later())
    expect(usage.items.map(({ kind, description, reclaimable }) => [kind, description, reclaimable]).sort()).toEqual([
      ['blob', undefined, true],
      ['record', 'pieces', true],
    ])
    expect(usage.items.find(({ kind }) => kind === 'blob')!.users).toBe(1)
    const { removed } = await prune(store, undefined, {}, later())
    expect(removed.map(({ kind, id }) => [kind, id])).toEqual([
      ['record', digest],
      ['blob', digest],
    ])
    const { result, found } = await again()
    expect([result.digest, found]).toEqual([digest, 0])
  })

  it('leaves what a build has opened to it', async () => {
    const { digest } = await compressInto(store, data)
    const known = await store.pieces.open((await compress(data, { pieces: store.pieces })).pieces!.format)
    const pieces = counted({ save: store.pieces.save, open: async () => known })
    const deleting = {
      ...pieces,
      open: async (format: string) => {
        const opened = await pieces.open(format)
        let first = true
        return {
          ...opened,
          find(key: Buffer) {
            const bytes = opened.find(key)
            if (first) rmSync(store.blobs.path(digest))
            first = false
            return bytes
          },
        }
      },
    }
    expect((await compress(data, { pieces: deleting })).digest).toBe(digest)
    expect(pieces.missed).toBeLessThanOrEqual(1)
  })
})

describe('several at once', () => {
  it('processes that pack and prune in one store all write the same bytes', async () => {
    const files = [...sourceTree(300), { name: 'big', content: words(1_500_000, 1) }]
    const layers = [1, 2, 3].map((i) => archive(files.filter((_, at) => at % 50 !== i)))
    const expected = await Promise.all(layers.map(async (layer) => (await compress(layer)).digest))
    const script = `
      import { openStore, prune } from ${url('./index.ts')}
      import { compressInto, archive, sourceTree, words } from ${url('../layer/testing/compressed.ts')}
      const files = [...sourceTree(300), { name: 'big', content: words(1500000, 1) }]
      const store = await openStore(${JSON.stringify(root)})
      for (const i of [1, 2, 3, 1, 2, 3]) {
        const { digest } = await compressInto(store, archive(files.filter((_, at) => at % 50 !== i)))
        console.log(i, digest)
        if (i === 2) await prune(store, undefined, {}, Date.now() + 10000)
      }`
    const outputs = await Promise.all([run(script), run(script)])
    const lines = [1, 2, 3, 1, 2, 3].map((i) => `${i} ${expected[i - 1]}\n`).join('')
    expect(outputs).toEqual([lines, lines])
  })

  const url = (path: string) => JSON.stringify(new URL(path, import.meta.url).href)

  function run(script: string): Promise<string> {
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let out = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text
    })
    return new Promise((resolve, reject) => {
      child.on('error', reject)
      child.on('close', () => resolve(out))
    })
  }
})
