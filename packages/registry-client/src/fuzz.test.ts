import { execFileSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseChallenges } from './auth/challenge.ts'
import { TarFiles } from './layout/tar-files.ts'
import { formatTarHeader, parseTarHeader, tarPadding } from './layout/tar-header.ts'
import { parseImageConfig, parseManifest } from './model/descriptor.ts'
import { isRegistryError } from './model/errors.ts'
import { mediaTypes } from './model/media-types.ts'
import { parsePlatform } from './model/platform.ts'
import { parseReference } from './model/reference.ts'
import { nextPage } from './registry/pages.ts'
import { parseWarnings } from './transport/events.ts'
import { parseResponseHead } from './transport/http-head.ts'

/** Runs something that may fail, but only with an error of ours. */
function tame(work: () => unknown): void {
  try {
    work()
  } catch (error) {
    if (!isRegistryError(error)) throw error
  }
}

const digest = fc.constantFrom(`sha256:${'a'.repeat(64)}`, 'sha256:x', '', 'sha256:../../x', null)
const anything = fc.anything({ withNullPrototype: false, maxDepth: 3 })
const descriptor = fc.record(
  {
    mediaType: fc.constantFrom(...Object.values(mediaTypes)),
    digest,
    size: fc.oneof(fc.integer(), anything),
    platform: anything,
    urls: anything,
  },
  { requiredKeys: [] },
)
const document = fc.record(
  {
    schemaVersion: fc.constantFrom(1, 2, '2'),
    mediaType: fc.constantFrom(...Object.values(mediaTypes), 1),
    config: descriptor,
    layers: fc.oneof(fc.array(descriptor), anything),
    manifests: fc.oneof(fc.array(descriptor), anything),
    subject: fc.oneof(descriptor, anything),
    annotations: anything,
    rootfs: anything,
  },
  { requiredKeys: ['schemaVersion'] },
)

describe('hostile input', () => {
  it('as manifests and configs', () => {
    fc.assert(
      fc.property(document, fc.constantFrom(undefined, ...Object.values(mediaTypes)), (value, mediaType) => {
        const bytes = Buffer.from(JSON.stringify(value))
        tame(() => {
          const parsed = parseManifest(bytes, mediaType)
          const all =
            parsed.kind === 'index' ? parsed.index.manifests : [parsed.manifest.config, ...parsed.manifest.layers]
          for (const { digest, size } of all) {
            expect(digest).toMatch(/^sha256:a{64}$/)
            expect(Number.isSafeInteger(size) && size >= 0).toBe(true)
          }
        })
        tame(() => parseImageConfig(bytes))
      }),
      { numRuns: 500 },
    )
  })

  it('as headers', () => {
    const piece = fc.constantFrom(
      'Bearer ',
      'Basic',
      ' realm=',
      '"',
      '\\',
      ',',
      '=',
      ';',
      '<',
      '>',
      'rel="next"',
      '299',
      ' - ',
      'x',
      ' ',
      '\t',
      'HTTP/1.1 200',
      '\r\n',
      'content-length:',
      '5',
      'chunked',
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
        const text = pieces.join('')
        parseChallenges([text])
        parseWarnings([text])
        const next = nextPage(new Map([['link', [text]]]), new URL('https://r.example/v2/'))
        expect(next === undefined || next.origin === 'https://r.example').toBe(true)
        try {
          parseResponseHead(text, 'GET')
        } catch (error) {
          expect(error).toMatchObject({ code: 'EPROTO' })
        }
        tame(() => parsePlatform(text))
      }),
      { numRuns: 1000 },
    )
  })

  it('that is long takes work in proportion to its length', () => {
    const work = (length: number) => {
      const began = process.cpuUsage()
      for (const unit of longUnits) {
        const text = unit.repeat(length / unit.length)
        parseChallenges([text])
        parseWarnings([text])
        nextPage(new Map([['link', [text]]]), new URL('https://r.example/v2/'))
        tame(() => parsePlatform(text))
        tame(() => parseReference(text))
      }
      const { user, system } = process.cpuUsage(began)
      return user + system
    }
    const least = (length: number) => Math.min(work(length), work(length), work(length))
    least(20_000)
    // CPU time, not that of the clock; below 20 ms it says nothing. Quadratic work would be a hundred times as much.
    expect(least(200_000)).toBeLessThan(40 * Math.max(least(20_000), 20_000))
  })
})

const longUnits = [
  'a',
  '<',
  '<x>',
  '"',
  '\\"',
  ',',
  ' ',
  '299 - "',
  '; rel=',
  'Bearer realm="',
  '-',
  '__',
  'a.',
  '/',
  '@',
]

describe('tar', () => {
  it('headers round-trip', () => {
    fc.assert(
      fc.property(
        fc.stringMatching(/^[a-z0-9/._-]{1,100}$/),
        fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
        (name, size) => {
          expect(parseTarHeader(formatTarHeader(name, size))).toEqual({ name, size, type: '0', linkName: '' })
          expect((size + tarPadding(size)) % 512).toBe(0)
        },
      ),
    )
  })

  it('names of any length are read as they were written', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'registry-client-test-'))
    try {
      const path = join(folder, 'x.tar')
      const names = [1, 99, 100, 101, 102, 141, 512, 1000].map((length) => 'n'.repeat(length))
      const parts = names.map((name) => [formatTarHeader(name, 3), Buffer.from('abc'), Buffer.alloc(tarPadding(3))])
      await writeFile(path, Buffer.concat([...parts.flat(), Buffer.alloc(1024)]))
      await using files = await TarFiles.open(path)
      expect([...files.names()]).toEqual(names)
      for (const name of names) expect((await files.read(name, 10))?.toString()).toBe('abc')
      expect(execFileSync('tar', ['-tf', path]).toString().trim().split('\n')).toEqual(names)
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  })

  it('archives with flipped bytes fail as such or not at all', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'registry-client-test-'))
    try {
      const content = Buffer.alloc(700, 'x')
      const whole = Buffer.concat([
        ...['a', 'b/c'].flatMap((name) => [formatTarHeader(name, 700), content, Buffer.alloc(tarPadding(700))]),
        Buffer.alloc(1024),
      ])
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { maxLength: 5 }),
          fc.nat(whole.length),
          async (flips, end) => {
            const bytes = Buffer.from(whole.subarray(0, end))
            for (const [at, value] of flips) if (at < bytes.length) bytes[at] = value
            const path = join(folder, 'x.tar')
            await writeFile(path, bytes)
            try {
              await using files = await TarFiles.open(path)
              for (const name of files.names())
                expect((await files.read(name, 1 << 20))!.length).toBe(await files.size(name))
            } catch (error) {
              if (!isRegistryError(error)) throw error
            }
          },
        ),
        { numRuns: 200 },
      )
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  })
})
