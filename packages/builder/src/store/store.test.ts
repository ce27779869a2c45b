import { execFile, execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { mediaTypes } from '@tsbuild/registry-client'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openStore, type Store } from './index.ts'

const sha256 = (data: string | Buffer) => `sha256:${createHash('sha256').update(data).digest('hex')}` as const

async function* chunks(...parts: string[]): AsyncGenerator<Buffer> {
  for (const part of parts) yield Buffer.from(part)
}

let root: string
let store: Store

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'store-'))
  store = await openStore(root)
})

afterEach(() => rmSync(root, { recursive: true, force: true }))

describe('blobs', () => {
  it.each([
    ['in one piece', ['hello'], 'hello'],
    ['in several pieces', ['he', '', 'llo'], 'hello'],
    ['empty', [], ''],
  ])('stores content %s', async (_name, parts, content) => {
    const stored = await store.blobs.put(chunks(...parts))
    expect(stored).toEqual({ digest: sha256(content), size: content.length })
    expect((await store.blobs.read(stored.digest)).toString()).toBe(content)
    expect(Buffer.concat(await Array.fromAsync(store.blobs.open(stored.digest))).toString()).toBe(content)
    expect([await store.blobs.has(stored.digest), await store.blobs.size(stored.digest)]).toEqual([
      true,
      content.length,
    ])
    expect(readFileSync(store.blobs.path(stored.digest), 'utf8')).toBe(content)
  })

  it('uses the algorithm of the digest that is expected', async () => {
    const digest = `sha512:${createHash('sha512').update('x').digest('hex')}`
    expect(await store.blobs.put(chunks('x'), { digest })).toEqual({ digest, size: 1 })
    expect(existsSync(join(root, 'blobs/sha512', digest.slice(7)))).toBe(true)
  })

  it.each([
    ['another digest', 'hello', { digest: sha256('other') }],
    ['more bytes', 'hello', { digest: sha256('hello'), size: 4 }],
    ['fewer bytes', 'hello', { digest: sha256('hello'), size: 6 }],
  ])('refuses content with %s and stores nothing', async (_name, content, expected) => {
    await expect(store.blobs.put(chunks(content), expected)).rejects.toMatchObject({ code: 'BLOB_MISMATCH' })
    expect([readdirSync(join(root, 'blobs/sha256')), readdirSync(join(root, 'tmp'))]).toEqual([[], []])
  })

  it('leaves nothing behind when the source fails or the signal aborts', async () => {
    const failing = async function* () {
      yield Buffer.from('x')
      throw new Error('source failed')
    }
    await expect(store.blobs.put(failing())).rejects.toThrow('source failed')
    await expect(store.blobs.put(chunks('x'), undefined, AbortSignal.abort())).rejects.toMatchObject({
      code: 'CANCELLED',
    })
    expect([readdirSync(join(root, 'blobs/sha256')), readdirSync(join(root, 'tmp'))]).toEqual([[], []])
  })

  it('does not read what it has already', async () => {
    await store.blobs.put(chunks('hello'))
    let read = false
    const again = async function* () {
      read = true
      yield Buffer.from('hello')
    }
    await store.blobs.put(again(), { digest: sha256('hello'), size: 5 })
    expect(read).toBe(false)
  })

  it('lets many write the same blob at once', async () => {
    const all = await Promise.all(Array.from({ length: 20 }, () => store.blobs.put(chunks('a', 'b'))))
    expect(new Set(all.map((b) => b.digest))).toEqual(new Set([sha256('ab')]))
    expect(readdirSync(join(root, 'blobs/sha256'))).toHaveLength(1)
  })

  it('puts a damaged blob aside', async () => {
    const { digest } = await store.blobs.put(chunks('hello'))
    truncateSync(store.blobs.path(digest), 3)
    await expect(store.blobs.read(digest)).rejects.toMatchObject({ code: 'BLOB_CORRUPT' })
    expect([await store.blobs.has(digest), readdirSync(join(root, 'quarantine')).length]).toEqual([false, 1])
    await expect(store.blobs.read(digest)).rejects.toMatchObject({ code: 'BLOB_MISSING' })
    await store.blobs.put(chunks('hello'))
    expect((await store.blobs.read(digest)).toString()).toBe('hello')
  })

  it('refuses to read big blobs into memory', async () => {
    const { digest } = await store.blobs.put(chunks('x'.repeat(100)))
    await expect(store.blobs.read(digest, 99)).rejects.toMatchObject({ code: 'BLOB_TOO_LARGE' })
  })

  it.each([
    '',
    'sha256:',
    'sha256:../../etc/passwd',
    'md5:d41d8cd98f00b204e9800998ecf8427e',
    `sha256:${'A'.repeat(64)}`,
  ])('refuses the digest %j', async (digest) => {
    await expect(store.blobs.has(digest)).rejects.toMatchObject({ code: 'STORE_DIGEST_INVALID' })
    expect(() => store.blobs.path(digest)).toThrow('invalid digest')
  })

  it('adopts a finished file', async () => {
    await using temporary = await store.blobs.temporary('layer')
    const file = join(temporary.path, 'out')
    writeFileSync(file, 'layer', { mode: 0o600 })
    await expect(store.blobs.adopt(file, { digest: sha256('layer'), size: 4 })).rejects.toMatchObject({
      code: 'BLOB_MISMATCH',
    })
    await store.blobs.adopt(file, { digest: sha256('layer'), size: 5 })
    expect((await store.blobs.read(sha256('layer'))).toString()).toBe('layer')
    expect(statSync(store.blobs.path(sha256('layer'))).mode & 0o777).toBe(0o644)
  })
})

describe('opening', () => {
  it('sweeps temporary files of dead processes only', async () => {
    await using mine = await store.blobs.temporary('mine')
    const [, start, namespace] = mine.path.split('/').at(-1)!.split('.')[0]!.split('-')
    const dead = join(root, 'tmp', `999999999-${start}-${namespace}.put-x`)
    const reused = join(root, 'tmp', `${process.pid}-1-${namespace}.put-x`)
    const foreign = join(root, 'tmp', '1-1-1.put-x')
    const foreignOld = join(root, 'tmp', '2-1-1.put-x')
    for (const path of [dead, reused, foreign, foreignOld]) mkdirSync(path)
    utimesSync(foreignOld, 0, 0)
    await openStore(root)
    expect([mine.path, dead, reused, foreign, foreignOld].map((path) => existsSync(path))).toEqual([
      true,
      false,
      false,
      true,
      false,
    ])
  })

  it('refuses a directory that holds something else', async () => {
    const other = join(root, 'other')
    mkdirSync(other)
    writeFileSync(join(other, 'photo.jpg'), '')
    await expect(openStore(other)).rejects.toMatchObject({ code: 'STORE_FORMAT' })
    writeFileSync(join(root, 'oci-layout'), '{"imageLayoutVersion":"9.0.0"}')
    await expect(openStore(root)).rejects.toMatchObject({ code: 'STORE_FORMAT' })
  })

  it('can be done by several at once', async () => {
    const fresh = join(root, 'fresh')
    const stores = await Promise.all(Array.from({ length: 8 }, () => openStore(fresh)))
    const blob = await stores[0]!.blobs.put(chunks('x'))
    expect(await stores[7]!.blobs.has(blob.digest)).toBe(true)
  })
})

async function image(name: string, content: string): Promise<string> {
  const put = (text: string) => store.blobs.put(chunks(text))
  const config = await put(
    JSON.stringify({ os: 'linux', architecture: 'amd64', rootfs: { type: 'layers', diff_ids: [] }, author: content }),
  )
  const manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: { mediaType: mediaTypes.ociConfig, ...config },
    layers: [],
  }
  const stored = await put(JSON.stringify(manifest))
  await store.images.tag(name, { mediaType: mediaTypes.ociManifest, ...stored }, 1_700_000_000_000)
  return stored.digest
}

describe('images', () => {
  it('names, finds, lists, moves and forgets', async () => {
    const one = await image('docker.io/library/a:1', 'one')
    const two = await image('docker.io/library/b:1', 'two')
    expect((await store.images.resolve('docker.io/library/a:1'))?.digest).toBe(one)
    await image('docker.io/library/a:1', 'two')
    const found = await store.images.list()
    expect(found.map((i) => [i.name, i.descriptor.digest, i.tagged])).toEqual([
      ['docker.io/library/a:1', two, 1_700_000_000_000],
      ['docker.io/library/b:1', two, 1_700_000_000_000],
    ])
    expect(found[0]!.descriptor.annotations).toBeUndefined()
    await store.images.untag('docker.io/library/a:1')
    expect(await store.images.resolve('docker.io/library/a:1')).toBeUndefined()
    await expect(store.images.untag('docker.io/library/a:1')).rejects.toMatchObject({ code: 'IMAGE_UNKNOWN' })
  })

  it('loses none of many changes at once', async () => {
    const { digest } = { digest: await image('first', 'x') }
    const descriptor = (await store.images.resolve('first'))!
    const names = Array.from({ length: 12 }, (_, i) => `many:${i}`)
    await Promise.all(names.map((name) => store.images.tag(name, descriptor, 0)))
    expect((await store.images.list()).filter((i) => i.descriptor.digest === digest)).toHaveLength(13)
  })

  const noSkopeo = spawnSync('skopeo', ['--version']).error !== undefined
  it.skipIf(noSkopeo)(`are found by other tools${noSkopeo ? ' (needs skopeo)' : ''}`, async () => {
    const digest = await image('docker.io/library/my-image:latest', 'x')
    const out = execFileSync('skopeo', ['inspect', `oci:${root}:docker.io/library/my-image:latest`], {
      encoding: 'utf8',
    })
    expect(JSON.parse(out).Digest).toBe(digest)
  })
})

describe('records', () => {
  it('keeps values by kind and key', async () => {
    await store.records.put('step', 'k', { layer: 1 }, { blobs: ['b'], snapshots: ['s'] })
    await store.records.put('file', 'k', 'other kind')
    expect(await store.records.get('step', 'k')).toEqual({ layer: 1 })
    expect(await store.records.get('file', 'k')).toBe('other kind')
    expect(await store.records.get('step', 'unknown')).toBeUndefined()
    const again = await openStore(root)
    expect(await again.records.get('step', 'k')).toEqual({ layer: 1 })
    const listed = await Array.fromAsync(store.records.list())
    expect(listed.map((r) => [r.kind, r.key, r.refs]).sort()).toEqual([
      ['file', 'k', { blobs: [], snapshots: [] }],
      ['step', 'k', { blobs: ['b'], snapshots: ['s'] }],
    ])
    await store.records.put('step', 'k', 'new')
    expect(await store.records.get('step', 'k')).toBe('new')
    await store.records.remove('step', 'k')
    await store.records.remove('step', 'k')
    expect(await store.records.get('step', 'k')).toBeUndefined()
    expect(await Array.fromAsync(store.records.list('file'))).toHaveLength(1)
  })

  it('counts a read as a use', async () => {
    await store.records.put('step', 'k', 1)
    const before = (await Array.fromAsync(store.records.list()))[0]!.lastUsed
    await new Promise((resolve) => setTimeout(resolve, 20))
    await store.records.get('step', 'k')
    expect((await Array.fromAsync(store.records.list()))[0]!.lastUsed).toBeGreaterThan(before)
  })

  it('forgets a damaged record', async () => {
    await store.records.put('step', 'k', { value: 'x'.repeat(100) })
    const [name] = readdirSync(join(root, 'records/step'))
    const file = join(root, 'records/step', name!)
    const whole = readFileSync(file, 'utf8')
    for (const damaged of ['', 'damaged', whole.slice(0, -1), whole.replace('xxx', 'xyx')]) {
      writeFileSync(file, damaged)
      expect(await Array.fromAsync(store.records.list())).toEqual([])
      writeFileSync(file, damaged)
      expect(await store.records.get('step', 'k')).toBeUndefined()
      expect(existsSync(file)).toBe(false)
    }
    await store.records.put('step', 'k', 'again')
    expect(await store.records.get('step', 'k')).toBe('again')
  })

  it('lets many write the same record at once, and leaves no temporary file', async () => {
    await Promise.all(Array.from({ length: 20 }, (_, i) => store.records.put('step', 'k', i)))
    expect(await store.records.get('step', 'k')).toBeTypeOf('number')
    expect(readdirSync(join(root, 'tmp'))).toEqual([])
    expect(readdirSync(join(root, 'records/step'))).toHaveLength(1)
  })

  it('passes over what is no record', async () => {
    await store.records.put('step', 'k', 1)
    mkdirSync(join(root, 'records/step/directory'))
    writeFileSync(join(root, 'records/file'), '')
    expect((await Array.fromAsync(store.records.list())).map(({ key }) => key)).toEqual(['k'])
  })
})

describe('locks', () => {
  it('are held by one at a time, across processes', async () => {
    const log = join(root, 'log')
    const script = `
      import { appendFileSync } from 'node:fs'
      import { openStore } from ${JSON.stringify(new URL('store.ts', import.meta.url).pathname)}
      const store = await openStore(${JSON.stringify(root)})
      for (let i = 0; i < 5; i++) {
        await using held = await store.locks.acquire('a/b')
        appendFileSync(${JSON.stringify(log)}, 'in ')
        await new Promise((resolve) => setTimeout(resolve, 2))
        appendFileSync(${JSON.stringify(log)}, 'out ')
      }`
    const run = promisify(execFile)
    await Promise.all([1, 2, 3].map(() => run(process.execPath, ['--input-type=module-typescript', '-e', script])))
    expect(readFileSync(log, 'utf8')).toBe('in out '.repeat(15))
  })

  it('of dead processes are broken', async () => {
    const script = `
      import { openStore } from ${JSON.stringify(new URL('store.ts', import.meta.url).pathname)}
      await (await openStore(${JSON.stringify(root)})).locks.acquire('x')
      process.kill(process.pid, 'SIGKILL')`
    spawnSync(process.execPath, ['--input-type=module-typescript', '-e', script])
    expect(readdirSync(join(root, 'locks'))).toContain('x.lock')
    const held = await Promise.race([store.locks.acquire('x', AbortSignal.timeout(10_000))])
    await held[Symbol.asyncDispose]()
    expect(readdirSync(join(root, 'locks'))).toEqual([])
  })

  it('are followed: one holder is waited for, and nobody who comes later', async () => {
    const held = await store.locks.acquire('x')
    const [one, two] = [store.locks.follow('x'), store.locks.follow('x')]
    await expect(store.locks.follow('x', AbortSignal.timeout(30))).rejects.toMatchObject({ code: 'CANCELLED' })
    await held[Symbol.asyncDispose]()
    const locks = (await Promise.all([one, two])).filter((lock) => lock !== undefined)
    expect(locks).toHaveLength(1)
    expect(await store.locks.tryAcquire('x')).toBeUndefined()
    await locks[0]![Symbol.asyncDispose]()
    expect(readdirSync(join(root, 'locks'))).toEqual([])
    const alone = await store.locks.follow('x')
    expect(await store.locks.tryAcquire('x')).toBeUndefined()
    await alone![Symbol.asyncDispose]()
  })

  it('that dead holders left are swept, and no others', async () => {
    await using _held = await store.locks.acquire('x')
    writeFileSync(join(root, 'locks', 'left.lock'), '')
    await store.locks.sweep()
    expect(readdirSync(join(root, 'locks'))).toEqual(['x.lock'])
  })

  it('can be waited for until aborted', async () => {
    await using _held = await store.locks.acquire('x')
    await expect(store.locks.acquire('x', AbortSignal.timeout(30))).rejects.toMatchObject({ code: 'CANCELLED' })
    await using _other = await store.locks.acquire('y')
  })
})
