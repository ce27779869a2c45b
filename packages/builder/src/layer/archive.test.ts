import { execFileSync, spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import zlib from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isArchive, readArchive } from './archive.ts'
import { decompress } from './decompress.ts'
import { dir, file, stream, tar } from './testing/tar.ts'

const content = Buffer.from('line of text\n'.repeat(30_000))
const data = tar(dir('d'), file('d/f', content), file('empty'))

const tools: Readonly<Record<string, { args: string[]; unsupported?: string[] }>> = {
  gzip: { args: ['-c'] },
  zstd: { args: ['-c'] },
  bzip2: { args: ['-c'] },
  xz: { args: ['-c'], unsupported: ['-c', '--check=sha256'] },
}

async function read(blob: Buffer, piece?: number): Promise<[string, number][]> {
  const found: [string, number][] = []
  for await (const { header, body } of readArchive(stream(blob, piece))) {
    let size = 0
    for await (const part of body) size += part.length
    found.push([header.path, size])
  }
  return found
}

const expected = [
  ['d', 0],
  ['d/f', content.length],
  ['empty', 0],
]

for (const [tool, { args, unsupported }] of Object.entries(tools)) {
  const missing = spawnSync(tool, ['--version']).error !== undefined
  describe.skipIf(missing)(`${tool}${missing ? ` (needs ${tool})` : ''}`, () => {
    const pack = (input: Buffer, options = args) => execFileSync(tool, options, { input, maxBuffer: 1 << 28 })

    it('is read, in pieces of any size', async () => {
      const blob = pack(data)
      expect(await read(blob)).toEqual(expected)
      expect(await read(blob, 100)).toEqual(expected)
    })

    it('is read when it is made of several parts', async () => {
      expect(await read(Buffer.concat([pack(data.subarray(0, 100_000)), pack(data.subarray(100_000))]))).toEqual(
        expected,
      )
    })

    it('is refused when it is truncated or damaged', async () => {
      const blob = pack(data)
      const damaged = Buffer.from(blob)
      damaged[blob.length >> 1]! ^= 0xff
      for (const bad of [blob.subarray(0, blob.length >> 1), blob.subarray(0, blob.length - 3), damaged])
        expect(await read(bad).catch((error) => error.code)).toMatch(/^(COMPRESSION_INVALID|TAR_TRUNCATED)$/)
    })

    it('can be left early', async () => {
      for await (const { header } of readArchive(stream(pack(data), 1000))) {
        expect(header.path).toBe('d')
        break
      }
    })

    it('passes failures of the source on', async () => {
      const failing = async function* () {
        yield pack(data).subarray(0, 40)
        throw new Error('connection lost')
      }
      await expect(Array.fromAsync(readArchive(failing()))).rejects.toThrow('connection lost')
    })

    it.skipIf(!unsupported)('says what it cannot read', async () => {
      await expect(read(pack(data, unsupported))).rejects.toThrow(/not supported/)
    })
  })
}

describe('what is an archive', () => {
  let base: string
  beforeAll(() => {
    base = fs.mkdtempSync(join(tmpdir(), 'archive-'))
  })
  afterAll(() => fs.rmSync(base, { recursive: true, force: true }))

  it.each<[string, Buffer, boolean]>([
    ['a tar archive', data, true],
    ['a compressed one', zlib.gzipSync(data), true],
    ['an empty archive', tar(), false],
    ['an empty file', Buffer.alloc(0), false],
    ['text', Buffer.from('hello\n'.repeat(200)), false],
    ['compressed text', zlib.gzipSync('hello\n'.repeat(200)), false],
    ['the start of gzip data', zlib.gzipSync(data).subarray(0, 12), false],
    ['a short file', Buffer.from('x'), false],
  ])('%s', async (name, bytes, is) => {
    const path = join(base, name)
    fs.writeFileSync(path, bytes)
    expect(await isArchive(path)).toBe(is)
  })
})

describe('zstd frames', () => {
  const parts = [1, 1000, 200_000, 0, 77].map((size, i) => Buffer.alloc(size, 0x41 + i))
  const skippable = Buffer.concat([Buffer.from([0x5a, 0x2a, 0x4d, 0x18, 5, 0, 0, 0]), Buffer.from('12345')])
  const frame = (part: Buffer, checksum: number) =>
    zlib.zstdCompressSync(part, {
      params: { [zlib.constants.ZSTD_c_checksumFlag]: checksum, [zlib.constants.ZSTD_c_contentSizeFlag]: checksum },
    })
  const noise = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 7919 + (i >> 8) * 31) % 251))

  it.each([1, 2, 3, 17, 1000, 1 << 20])('are all read in pieces of %d bytes', async (piece) => {
    const blob = Buffer.concat([
      skippable,
      ...parts.flatMap((part, i) => [frame(part, i % 2), skippable]),
      frame(noise, 1),
    ])
    const out = Buffer.concat(await Array.fromAsync(decompress(stream(blob, piece), 'zstd')))
    expect(out.equals(Buffer.concat([...parts, noise]))).toBe(true)
  })

  it('that are followed by something else are refused', async () => {
    const blob = Buffer.concat([frame(parts[1]!, 1), Buffer.from('garbage')])
    await expect(Array.fromAsync(decompress(stream(blob), 'zstd'))).rejects.toMatchObject({
      code: 'COMPRESSION_INVALID',
    })
  })
})
