import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BuildError } from '../../packages/builder/src/errors.ts'
import { decompress } from '../../packages/builder/src/layer/decompress.ts'
import { encodeHeader, paddingOf, type TarEntry, type TarType } from '../../packages/builder/src/layer/tar-header.ts'
import { TarReader } from '../../packages/builder/src/layer/tar-reader.ts'
import {
  dir,
  file,
  hard,
  pax,
  rawHeader,
  sha256,
  stream,
  sym,
  tar,
} from '../../packages/builder/src/layer/testing/tar.ts'
import { unpackLayer } from '../../packages/builder/src/layer/unpack.ts'
import { decodeName, encodePath } from '../../packages/builder/src/util/raw-path.ts'

/** Bytes as file names have them: anything but NUL and slash. */
const name = fc
  .uint8Array({ minLength: 1, maxLength: 130 })
  .map((bytes) => decodeName(Buffer.from(bytes.map((byte) => (byte === 0 || byte === 0x2f ? 0x61 : byte)))))
const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'))
const content = fc.uint8Array({ maxLength: 1500 }).map((bytes) => Buffer.from(bytes))
const id = fc.integer({ min: 0, max: 2 ** 32 - 2 })

const entry: fc.Arbitrary<{ entry: TarEntry; content: Buffer }> = fc
  .record({
    path,
    type: fc.constantFrom<TarType>('file', 'directory', 'symlink', 'hardlink', 'fifo', 'char', 'block'),
    mode: fc.integer({ min: 0, max: 0o7777 }),
    uid: id,
    gid: id,
    mtime: fc.integer({ min: -(2 ** 40), max: 2 ** 40 }),
    link: path,
    device: fc.record({ major: fc.nat(4095), minor: fc.nat(1048575) }),
    xattrs: fc.uniqueArray(
      fc.tuple(
        fc.stringMatching(/^user\.[a-z]{1,20}$/),
        content.filter((c) => c.length > 0),
      ),
      {
        selector: ([key]) => key,
        maxLength: 3,
      },
    ),
    content,
  })
  .map(({ link, device, xattrs, content: bytes, ...rest }) => {
    const isFile = rest.type === 'file'
    const entry: TarEntry = {
      ...rest,
      size: isFile ? bytes.length : 0,
      linkname: rest.type === 'symlink' || rest.type === 'hardlink' ? link : undefined,
      device: rest.type === 'char' || rest.type === 'block' ? device : undefined,
      xattrs: xattrs.length > 0 ? xattrs.sort(([a], [b]) => (a < b ? -1 : 1)) : undefined,
    }
    return { entry, content: isFile ? bytes : Buffer.alloc(0) }
  })

function archive(entries: readonly { entry: TarEntry; content: Buffer }[]): Buffer {
  return tar(...entries.flatMap((e) => [encodeHeader(e.entry), e.content, Buffer.alloc(paddingOf(e.content.length))]))
}

async function read(data: Buffer, piece: number): Promise<{ entry: TarEntry; content: Buffer }[]> {
  const reader = new TarReader(stream(data, piece))
  const found: { entry: TarEntry; content: Buffer }[] = []
  for (let next = await reader.next(); next; next = await reader.next()) {
    const parts: Buffer[] = []
    for (let part = await reader.read(); part; part = await reader.read()) parts.push(Buffer.from(part))
    found.push({ entry: next, content: Buffer.concat(parts) })
  }
  return found
}

describe('tar', () => {
  it('reads what it writes, in pieces of any size', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(entry, { maxLength: 5 }), fc.integer({ min: 1, max: 5000 }), async (entries, piece) => {
        expect(await read(archive(entries), piece)).toEqual(entries)
      }),
      { numRuns: 300 },
    )
  })

  it('ends with entries or a clear error on damaged archives', async () => {
    const change = fc.record({ at: fc.nat(), byte: fc.nat(255) })
    await fc.assert(
      fc.asyncProperty(
        fc.array(entry, { minLength: 1, maxLength: 3 }),
        fc.array(change, { maxLength: 5 }),
        fc.nat(),
        async (entries, changes, cut) => {
          const data = archive(entries)
          for (const { at, byte } of changes) data[at % data.length] = byte
          try {
            await read(cut % 2 === 0 ? data : data.subarray(0, cut % data.length), 1000)
          } catch (error) {
            expect(error).toBeInstanceOf(BuildError)
          }
        },
      ),
      { numRuns: 500 },
    )
  })

  it('keeps the bytes of names', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        expect(encodePath(decodeName(Buffer.from(bytes)))).toEqual(Buffer.from(bytes))
      }),
      { numRuns: 2000 },
    )
  })
})

describe('unpacking', () => {
  const part = fc.constantFrom('a', 'b', 'c', '..', '.', '', '.wh.a', '.wh..wh..opq', '.wh.', '.wh..', '.wh...')
  const anyPath = fc.array(part, { minLength: 1, maxLength: 5 }).map((parts) => parts.join('/'))
  const target = fc.oneof(
    anyPath,
    anyPath.map((p) => `/${p}`),
    anyPath.map((p) => `../../../../${p}`),
    fc.constant('OUTSIDE'),
    fc.constant('OUTSIDE/secret'),
  )
  const step = fc.oneof(
    anyPath.map((p) => () => file(p || 'x', 'content')),
    anyPath.map((p) => () => dir(p || 'x')),
    fc.tuple(anyPath, target).map(
      ([p, t]) =>
        (outside: string) =>
          linked(p, t.replace('OUTSIDE', outside), sym),
    ),
    fc.tuple(anyPath, target).map(
      ([p, t]) =>
        (outside: string) =>
          linked(p, t.replace('OUTSIDE', outside), hard),
    ),
    anyPath.map((p) => () => rawHeader({ name: p || 'x', type: '6' })),
  )

  function linked(from: string, to: string, make: typeof sym): Buffer {
    return Buffer.concat([pax({ linkpath: to || 'x' }), make(from || 'x', 'x')])
  }

  it('never touches anything outside of the root', async () => {
    const base = fs.mkdtempSync(join(tmpdir(), 'fuzz-unpack-'))
    const outside = join(base, 'outside')
    fs.mkdirSync(outside)
    fs.writeFileSync(join(outside, 'secret'), 'secret')
    const untouched = fs.statSync(join(outside, 'secret')).ctimeMs
    let run = 0
    try {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async (steps) => {
          const root = join(base, `root-${run++}`)
          fs.mkdirSync(root)
          const data = tar(...steps.map((make) => make(outside)))
          for (let layer = 0; layer < 2; layer++) {
            try {
              await unpackLayer(stream(data), 'application/vnd.oci.image.layer.v1.tar', { root, diffID: sha256(data) })
            } catch (error) {
              expect(error).toBeInstanceOf(BuildError)
            }
          }
          fs.rmSync(root, { recursive: true })
          expect([fs.readdirSync(base), fs.readdirSync(outside)]).toEqual([['outside'], ['secret']])
          expect(fs.statSync(join(outside, 'secret')).ctimeMs).toBe(untouched)
        }),
        { numRuns: 300 },
      )
    } finally {
      fs.rmSync(base, { recursive: true, force: true })
    }
  })
})

it('decompressing garbage ends with a clear error', async () => {
  const start = fc.constantFrom([0x1f, 0x8b, 8], [0x28, 0xb5, 0x2f, 0xfd], [0x5a, 0x2a, 0x4d, 0x18])
  await fc.assert(
    fc.asyncProperty(start, fc.uint8Array({ maxLength: 300 }), async (magic, rest) => {
      const packing = magic[0] === 0x1f ? 'gzip' : 'zstd'
      try {
        await Array.fromAsync(decompress(stream(Buffer.from([...magic, ...rest]), 50), packing))
      } catch (error) {
        expect(error).toMatchObject({ code: 'COMPRESSION_INVALID' })
      }
    }),
    { numRuns: 300 },
  )
})
