import { randomBytes } from 'node:crypto'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { digestOf } from '@tsbuild/registry-client'
import { describe, expect, it } from 'vitest'
import { type BackendSubject, backendContract, type Damage, exampleCache } from '../backend.contract.ts'
import { startS3, type TestObject, type TestS3 } from '../services/s3-server.test-support.ts'
import { when } from '../services/test-server.test-support.ts'
import { prepareCacheFrom, prepareCacheTo } from '../spec.ts'
import { damaged, faultsOf, Machines, pieces } from './service-subject.test-support.ts'
import { temporaryDirectory } from './temporary.test-support.ts'

backendContract('s3', subject, 30)
backendContract('s3, as s3rver has it', independentSubject, 1)

function attributes({ server }: TestS3, others: Record<string, string> = {}): Record<string, string> {
  const keys = { access_key_id: 'test', secret_access_key: 'top secret' }
  return { bucket: 'bucket', region: 'eu-x', endpoint_url: server.origin, use_path_style: 'true', ...keys, ...others }
}

async function subject(): Promise<BackendSubject> {
  const s3 = await startS3()
  const machines = new Machines()
  const attrs = attributes(s3)
  const change = (key: string, how: Damage) => {
    const there = s3.objects.get(key)!
    if (how === 'missing') s3.objects.delete(key)
    else s3.objects.set(key, { ...there, bytes: damaged(there.bytes, how), etag: `"${how}"` })
  }
  return {
    importer: () => prepareCacheFrom([{ type: 's3', attrs }], {})[0]!.open(machines.next()),
    exporter: () => prepareCacheTo([{ type: 's3', attrs }], {})[0]!.open!(machines.next()),
    spoil: async ({ digest }, how) => change(`bucket/blobs/${digest}`, how),
    spoilDocument: async (how) => change('bucket/manifests/tsbuild', how),
    faults: faultsOf(s3.server, machines, /manifests/),
    async [Symbol.asyncDispose]() {
      await machines[Symbol.asyncDispose]()
      await s3.server[Symbol.asyncDispose]()
    },
  }
}

interface S3rver {
  run(): Promise<AddressInfo>
  close(): Promise<void>
}

/** A server that others wrote. It knows no conditions, and gives what is half written. */
async function independentSubject(): Promise<BackendSubject> {
  const directory = await temporaryDirectory()
  const Server: new (options: object) => S3rver = createRequire(import.meta.url)('s3rver')
  const place = { address: '127.0.0.1', port: 0, silent: true, directory: directory.path }
  const server = new Server({ ...place, configureBuckets: [{ name: 'bucket' }] })
  const { port } = await server.run()
  const machines = new Machines()
  const keys = { access_key_id: 'S3RVER', secret_access_key: 'S3RVER' }
  const at = { bucket: 'bucket', region: 'us-east-1', endpoint_url: `http://127.0.0.1:${port}` }
  const attrs = { ...at, ...keys, touch_refresh: '0' }
  const change = async (key: string, how: Damage) => {
    const file = join(directory.path, 'bucket', `${key}._S3rver_object`)
    if (how === 'missing') await rm(file)
    else await writeFile(file, damaged(await readFile(file), how))
  }
  return {
    importer: () => prepareCacheFrom([{ type: 's3', attrs }], {})[0]!.open(machines.next()),
    exporter: () => prepareCacheTo([{ type: 's3', attrs }], {})[0]!.open!(machines.next()),
    spoil: ({ digest }, how) => change(`blobs/${digest}`, how),
    spoilDocument: (how) => change('manifests/tsbuild', how),
    faults: {},
    async [Symbol.asyncDispose]() {
      await machines[Symbol.asyncDispose]()
      await server.close()
      await directory[Symbol.asyncDispose]()
    },
  }
}

const signal = new AbortController().signal
const options = { signal, mountFrom: [], onProgress: () => {} }

/** A server with what it takes to talk to it. */
async function start(others: Record<string, string> = {}) {
  const s3 = await startS3()
  const machines = new Machines()
  const spec = { type: 's3', attrs: attributes(s3, others) } as const
  return {
    s3,
    importer: async () => prepareCacheFrom([spec], {})[0]!.open(machines.next()),
    exporter: async () => prepareCacheTo([spec], {})[0]!.open!(machines.next()),
    async [Symbol.asyncDispose]() {
      await machines[Symbol.asyncDispose]()
      await s3.server[Symbol.asyncDispose]()
    },
  }
}

/** A cache of one layer. */
function cacheOf(bytes: Buffer) {
  const { document } = exampleCache()
  const [record] = document.records
  const descriptor = { ...record!.layer!.descriptor, digest: digestOf(bytes), size: bytes.length }
  return { document: { ...document, records: [{ ...record!, layer: { ...record!.layer!, descriptor } }] }, descriptor }
}

describe('s3', () => {
  it.each<[string, Record<string, string>, Record<string, string>, RegExp]>([
    ['no bucket', { region: 'r' }, {}, /bucket \(\$AWS_BUCKET\) not set/],
    ['no region', { bucket: 'b' }, {}, /region \(\$AWS_REGION\) not set/],
    ['half of the credentials', { bucket: 'b', region: 'r', access_key_id: 'x' }, {}, /need each other/],
    ['no parallelism', { bucket: 'b', region: 'r', upload_parallelism: '0' }, {}, /positive integer/],
    ['no attempt', { bucket: 'b', region: 'r', retry_max_attempts: '0' }, {}, /positive integer/],
    ['another retry mode', { bucket: 'b', region: 'r', retry_mode: 'wild' }, {}, /retry_mode/],
    ['a key that leads elsewhere', { bucket: 'b', region: 'r', prefix: 'a/../b/' }, {}, /invalid prefix/],
    ['a bucket that is a path', { bucket: 'b/c', region: 'r' }, {}, /invalid bucket/],
    ['a URL with a password', { bucket: 'b', region: 'r', endpoint_url: 'http://u:p@x' }, {}, /user or password/],
    ['no time', { bucket: 'b', region: 'r', touch_refresh: 'soon' }, {}, /touch_refresh/],
  ])('refuses %s', (_, attrs, env, message) => {
    expect(() => prepareCacheTo([{ type: 's3', attrs }], env)).toThrow(message)
    expect(() => prepareCacheFrom([{ type: 's3', attrs }], env)).toThrow(message)
  })

  it('takes bucket and region from the environment, and writes where it is told', async () => {
    await using it = await start({ prefix: 'team/', blobs_prefix: 'b/', manifests_prefix: 'm/', name: 'main;v1' })
    await using exporter = await it.exporter()
    const cache = exampleCache()
    await exporter.save(
      cache.document,
      ({ digest }) =>
        () =>
          pieces(cache.contents.get(digest)!),
      options,
    )
    const blobs = [...cache.contents.keys()].map((digest) => `bucket/team/b/${digest}`)
    expect([...it.s3.objects.keys()].sort()).toEqual([...blobs, 'bucket/team/m/main', 'bucket/team/m/v1'].sort())
    const env = { AWS_BUCKET: 'one', AWS_REGION: 'two' }
    expect(prepareCacheTo([{ type: 's3', attrs: {} }], env)[0]!.name).toBe('s3 one/manifests/tsbuild')
  })

  it('has the server and the credentials from the environment, too', async () => {
    await using it = await start()
    await using machines = new Machines()
    const keys = { AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 's', AWS_ENDPOINT_URL_S3: it.s3.server.origin }
    const env = { ...keys, AWS_BUCKET: 'bucket', AWS_REGION: 'eu-x' }
    await using importer = await prepareCacheFrom([{ type: 's3', attrs: {} }], env)[0]!.open(machines.next())
    expect(await importer.load({ signal })).toEqual({ documents: [], foreign: undefined })
    expect(it.s3.server.seen).toEqual(['GET /bucket/manifests/tsbuild'])
  })

  it('leaves a cache of BuildKit alone, and says that it is one', async () => {
    await using it = await start({ name: 'buildkit' })
    const theirs = Buffer.from('{"layers":[{"blob":"sha256:00","parent":-1}],"records":[{"digest":"sha256:00"}]}')
    it.s3.objects.set('bucket/manifests/buildkit', object(theirs))
    await using importer = await it.importer()
    expect(await importer.load({ signal })).toEqual({ documents: [], foreign: 'buildkit' })
    await using exporter = await it.exporter()
    const open = () => expect.fail('something was sent')
    await expect(exporter.save(exampleCache().document, open, options)).rejects.toMatchObject({
      code: 'CACHE_NOT_EXPORTED',
      message: expect.stringContaining('a cache of BuildKit'),
    })
    expect([...it.s3.objects].map(([key, { bytes }]) => [key, bytes])).toEqual([['bucket/manifests/buildkit', theirs]])
  })

  it('leaves a file alone that is no cache', async () => {
    await using it = await start({ manifests_prefix: '', name: 'notes.txt' })
    it.s3.objects.set('bucket/notes.txt', object(Buffer.from('remember the milk')))
    await using importer = await it.importer()
    await expect(importer.load({ signal })).rejects.toMatchObject({ code: 'CACHE_UNUSABLE' })
    await using exporter = await it.exporter()
    const open = () => expect.fail('something was sent')
    await expect(exporter.save(exampleCache().document, open, options)).rejects.toMatchObject({
      code: 'CACHE_NOT_EXPORTED',
    })
    expect(it.s3.objects.get('bucket/notes.txt')!.bytes.toString()).toBe('remember the milk')
  })

  it('adds again what somebody wrote over, where conditions are not kept', async () => {
    await using it = await start()
    const [theirs, ours] = [exampleCache(), exampleCache()]
    const save = async ({ document, contents }: typeof ours) => {
      await using exporter = await it.exporter()
      return await exporter.save(
        document,
        ({ digest }) =>
          () =>
            pieces(contents.get(digest)!),
        options,
      )
    }
    await save(theirs)
    const before = it.s3.objects.get('bucket/manifests/tsbuild')!
    let looks = 0
    it.s3.server.fault = when(/^HEAD .*manifests/, () => {
      // They had read what was there before we wrote, and write now.
      if (looks++ === 0) it.s3.objects.set('bucket/manifests/tsbuild', before)
      return false
    })
    expect(await save(ours)).toMatchObject({ records: 6 })
    expect(looks).toBe(2)
    await using importer = await it.importer()
    expect((await importer.load({ signal })).documents.map(({ records }) => records.length)).toEqual([6])
  })

  it('touches what is old, and nothing else', async () => {
    await using it = await start({ touch_refresh: '1h' })
    await using exporter = await it.exporter()
    const cache = exampleCache()
    const save = () =>
      exporter.save(
        cache.document,
        ({ digest }) =>
          () =>
            pieces(cache.contents.get(digest)!),
        options,
      )
    await save()
    const [old, young] = [...it.s3.objects].filter(([key]) => key.includes('blobs'))
    old![1].modified -= 2 * 3_600_000
    await save()
    expect(it.s3.objects.get(old![0])).toMatchObject({ bytes: old![1].bytes, meta: expect.stringMatching(/^20.*Z$/) })
    expect(Date.now() - it.s3.objects.get(old![0])!.modified).toBeLessThan(3_600_000)
    expect(it.s3.objects.get(young![0])).toBe(young![1])
  })

  it('sends a big layer in parts, with few of them in memory, and goes on where a download breaks', async () => {
    await using it = await start({ upload_parallelism: '2' })
    const big = randomBytes(20 << 20)
    const { document, descriptor } = cacheOf(big)
    await using exporter = await it.exporter()
    await exporter.save(document, () => () => pieces(big, 100_000), options)
    const parts = it.s3.server.seen.filter((line) => /^PUT .*partNumber/.test(line))
    expect(parts).toHaveLength(3)
    expect(it.s3.objects.get(`bucket/blobs/${descriptor.digest}`)!.bytes.equals(big)).toBe(true)
    expect(it.s3.uploads.size).toBe(0)
    let broken = 0
    it.s3.server.fault = when(/^GET .*blobs/, (request, response) => {
      const offset = Number(/\d+/.exec(request.headers.range ?? '0')![0])
      if (broken++ > 2) return false
      response.writeHead(offset === 0 ? 200 : 206, { 'content-length': String(big.length - offset) })
      response.write(big.subarray(offset, offset + (1 << 20)), () => request.socket.destroy())
      return true
    })
    await using importer = await it.importer()
    const chunks: Buffer[] = []
    for await (const chunk of importer.openBlob(descriptor, { signal })) chunks.push(chunk)
    expect(Buffer.concat(chunks).equals(big)).toBe(true)
    expect(it.s3.server.seen.filter((line) => /^GET .*blobs/.test(line))).toHaveLength(4)
  })

  it('leaves no parts of an upload that failed', async () => {
    await using it = await start()
    const big = randomBytes(20 << 20)
    it.s3.server.fault = when(/partNumber=2/, (_, response) => {
      response.writeHead(403).end()
      return true
    })
    await using exporter = await it.exporter()
    const saved = exporter.save(cacheOf(big).document, () => () => pieces(big, 100_000), options)
    await expect(saved).rejects.toMatchObject({ code: 'CACHE_NOT_EXPORTED' })
    expect([it.s3.uploads.size, it.s3.objects.size]).toEqual([0, 0])
  })

  it('shows no credentials of what a server says', async () => {
    await using it = await start({ session_token: 'the token/of the session' })
    it.s3.server.fault = (request, response) => {
      const { 'x-amz-security-token': token } = request.headers
      const said = `<Error><Code>AccessDenied</Code><Message>no ${token} ${encodeURIComponent(String(token))}</Message></Error>`
      response.writeHead(403).end(said)
      return true
    }
    await using importer = await it.importer()
    await expect(importer.load({ signal })).rejects.toMatchObject({
      message: expect.stringMatching(/status 403 \(AccessDenied: no \*\*\* \*\*\*\)/),
    })
  })

  it('says in which region the bucket is', async () => {
    await using it = await start()
    it.s3.server.fault = (_, response) => {
      response.writeHead(301, { 'x-amz-bucket-region': 'us-west-9' }).end()
      return true
    }
    await using importer = await it.importer()
    await expect(importer.load({ signal })).rejects.toThrow(/the bucket is in the region us-west-9/)
  })

  it('takes a bucket that is not there for a mistake', async () => {
    await using it = await start({ bucket: 'other' })
    await using importer = await it.importer()
    await expect(importer.load({ signal })).rejects.toThrow(/NoSuchBucket/)
  })
})

function object(bytes: Buffer): TestObject {
  return { bytes, etag: '"x"', type: 'application/json', meta: undefined, modified: Date.now() }
}
