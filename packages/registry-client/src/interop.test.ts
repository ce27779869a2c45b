import { execFile, execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { copy } from './copy/copy.ts'
import { ImageArchive } from './layout/archive-writer.ts'
import { DockerArchive } from './layout/docker-archive.ts'
import { MemoryImages } from './layout/memory.ts'
import { OciLayout } from './layout/oci-layout.ts'
import { mediaTypes } from './model/media-types.ts'
import { RegistryClient, type RegistryClientOptions } from './registry/client.ts'
import { DockerRegistry, hasProgram } from './testing/docker-registry.ts'
import { RegistryStore, TestRegistry } from './testing/index.ts'
import { startProxy } from './testing/proxy.ts'
import { temporaryDirectory } from './testing/temporary.ts'

const run = promisify(execFile)
const withRegistry = hasProgram('docker-registry')
const withSkopeo = hasProgram('skopeo')
const withOpenssl = withRegistry && hasProgram('openssl')
const options: RegistryClientOptions = { env: {}, certsDirs: [], registriesConf: [], retry: { baseMs: 10 } }

/** An image in memory: layers of 3 MiB, 1 KiB and 0 bytes. */
async function image(): Promise<{ images: MemoryImages; layer: Buffer }> {
  const layer = randomBytes(3 << 20)
  const store = new RegistryStore()
  const { manifest, descriptor } = store.addImage('x', 'v1', [layer, randomBytes(1024), Buffer.alloc(0)])
  const { blobs, manifests } = store.repository('x')
  const images = new MemoryImages()
  for (const { digest } of [manifest.config, ...manifest.layers]) images.addBlob(blobs.get(digest)!)
  await images.pushManifest(manifests.get(descriptor.digest)!.bytes, descriptor.mediaType, { tags: ['v1'] })
  return { images, layer }
}

describe("distribution's registry", () => {
  it.skipIf(!withRegistry)(
    'takes and gives images, tags, mounts, chunks and deletions (needs docker-registry)',
    async () => {
      await using registry = await DockerRegistry.start()
      await using client = new RegistryClient(options)
      const { images } = await image()
      const repository = client.repository(`${registry.host}/team/app`)
      const { descriptor } = await copy(images, 'v1', repository, ['v1', 'v2'])
      expect(await Array.fromAsync(repository.tags({ pageSize: 1 }))).toEqual(['v1', 'v2'])
      expect(await repository.resolve('v2')).toEqual(descriptor)
      expect(await copy(repository, 'v1', client.repository(`${registry.host}/other`), 'v1')).toMatchObject({
        blobs: { mounted: 4 },
      })
      expect(await Array.fromAsync(client.catalog(registry.host))).toEqual(['other', 'team/app'])
      const back = new MemoryImages()
      expect(await copy(repository, 'v1', back, 'v1')).toMatchObject({ descriptor, blobs: { uploaded: 4 } })
      const streamed = await repository.uploadStream(
        (async function* () {
          for (let n = 0; n < 5; n++) yield randomBytes(700_000)
        })(),
      )
      expect(await repository.hasBlob(streamed)).toBe(true)
      await repository.deleteBlob(streamed.digest)
      expect(await repository.hasBlob(streamed)).toBe(false)
      await repository.deleteManifest(descriptor.digest)
      await expect(repository.resolve('v1')).rejects.toMatchObject({ code: 'NOT_FOUND' })
    },
  )

  it.skipIf(!withRegistry)('keeps referrers by the fallback tag (needs docker-registry)', async () => {
    await using registry = await DockerRegistry.start()
    await using client = new RegistryClient(options)
    const { images } = await image()
    const repository = client.repository(`${registry.host}/app`)
    const { descriptor: subject } = await copy(images, 'v1', repository, 'v1')
    const empty = Buffer.from('{}')
    const config = {
      mediaType: mediaTypes.ociEmpty,
      digest: (
        await repository.uploadStream(
          (async function* () {
            yield empty
          })(),
        )
      ).digest,
      size: 2,
    }
    const artifact = {
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      artifactType: 'a/b',
      config,
      layers: [config],
      subject,
    }
    await repository.pushManifest(Buffer.from(JSON.stringify(artifact)), mediaTypes.ociManifest)
    expect(await Array.fromAsync(repository.referrers(subject))).toMatchObject([{ artifactType: 'a/b' }])
  })

  it.skipIf(!withRegistry)('with htpasswd (needs docker-registry)', async () => {
    // The hash of "testpass".
    const files = { htpasswd: 'testuser:$2y$05$abcdefghijklmnopqrstuuY2rr7L.d/LF6rPH7pelavN71FckQOVO\n' }
    await using registry = await DockerRegistry.start({
      files,
      auth: 'auth: {htpasswd: {realm: test, path: {dir}/htpasswd}}',
    })
    const { images } = await image()
    await using anonymous = new RegistryClient(options)
    await expect(copy(images, 'v1', anonymous.repository(`${registry.host}/app`), 'v1')).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
    })
    await using client = new RegistryClient({
      ...options,
      credentials: () => ({ username: 'testuser', password: 'testpass' }),
    })
    await copy(images, 'v1', client.repository(`${registry.host}/app`), 'v1')
    await client.checkCredentials(registry.host, { username: 'testuser', password: 'testpass' })
    await expect(client.checkCredentials(registry.host, { username: 'testuser', password: 'x' })).rejects.toMatchObject(
      { code: 'UNAUTHORIZED' },
    )
  })

  it.skipIf(!withRegistry)('that is read-only says so (needs docker-registry)', async () => {
    await using registry = await DockerRegistry.start({ storage: '  maintenance: {readonly: {enabled: true}}' })
    await using client = new RegistryClient(options)
    const { images } = await image()
    const pushing = copy(images, 'v1', client.repository(`${registry.host}/app`), 'v1')
    await expect(pushing).rejects.toMatchObject({
      code: 'REJECTED',
      status: 405,
    })
  })

  it.skipIf(!withOpenssl)('with its own CA and client certificates (needs docker-registry and openssl)', async () => {
    await using folder = await temporaryDirectory()
    const at = (name: string) => join(folder.path, name)
    const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'pipe', cwd: folder.path })
    openssl(
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-keyout',
      'ca.key',
      '-out',
      'ca.crt',
      '-days',
      '2',
      '-subj',
      '/CN=test CA',
    )
    for (const name of ['server', 'client']) {
      await writeFile(
        at(`${name}.ext`),
        `subjectAltName=IP:127.0.0.1,DNS:registry.example\nextendedKeyUsage=${name}Auth\n`,
      )
      openssl(
        'req',
        '-newkey',
        'rsa:2048',
        '-nodes',
        '-keyout',
        `${name}.key`,
        '-out',
        `${name}.csr`,
        '-subj',
        `/CN=${name}`,
      )
      openssl(
        'x509',
        '-req',
        '-in',
        `${name}.csr`,
        '-CA',
        'ca.crt',
        '-CAkey',
        'ca.key',
        '-CAcreateserial',
        '-out',
        `${name}.cert`,
        '-days',
        '2',
        '-extfile',
        `${name}.ext`,
      )
    }
    const read = (name: string) => readFile(at(name), 'utf8')
    const files = {
      'server.cert': await read('server.cert'),
      'server.key': await read('server.key'),
      'ca.crt': await read('ca.crt'),
    }
    const tls = '  tls: {certificate: {dir}/server.cert, key: {dir}/server.key, clientcas: [{dir}/ca.crt]}'
    await using registry = await DockerRegistry.start({ files, http: tls })
    const certs = join(folder.path, 'certs.d', registry.host)
    await mkdir(certs, { recursive: true })
    for (const name of ['ca.crt', 'client.cert', 'client.key']) await writeFile(join(certs, name), await read(name))
    const { images } = await image()
    await using client = new RegistryClient({ ...options, certsDirs: [join(folder.path, 'certs.d')] })
    const repository = client.repository(`${registry.host}/app`)
    const { descriptor } = await copy(images, 'v1', repository, 'v1')
    const back = new MemoryImages()
    expect((await copy(repository, 'v1', back, 'v1')).descriptor).toEqual(descriptor)
    // The same by hosts.toml, whose paths are relative to it, and through a proxy.
    const named = join(folder.path, 'certs.d', 'registry.example')
    await mkdir(named, { recursive: true })
    const toml =
      '[host."https://registry.example"]\nca = "../../ca.crt"\nclient = [["../../client.cert", "../../client.key"]]\n'
    await writeFile(join(named, 'hosts.toml'), toml)
    await using proxy = await startProxy(Number(registry.host.split(':')[1]))
    const env = { https_proxy: proxy.url }
    await using proxied = new RegistryClient({ ...options, env, certsDirs: [join(folder.path, 'certs.d')] })
    expect(await proxied.repository('registry.example/app').resolve('v1')).toEqual(descriptor)
    await copy(images, 'v1', proxied.repository('registry.example/other'), 'v1')
    expect(new Set(proxy.seen)).toEqual(new Set(['CONNECT registry.example:443']))
    // Without certificates it is found out that the server speaks TLS, and that it is not to be trusted.
    await using stranger = new RegistryClient(options)
    await expect(stranger.repository(`${registry.host}/app`).resolve('v1')).rejects.toMatchObject({
      code: 'NETWORK',
      attempts: 1,
    })
    await using careless = new RegistryClient({ ...options, insecure: [registry.host], retry: { attempts: 1 } })
    await expect(careless.repository(`${registry.host}/app`).resolve('v1')).rejects.toMatchObject({ code: 'NETWORK' })
    // Where the server is trusted, all that is missing is a certificate of the client.
    await using anonymous = new RegistryClient({ ...options, caFiles: [join(folder.path, 'ca.crt')] })
    await expect(anonymous.repository(`${registry.host}/app`).resolve('v1')).rejects.toMatchObject({
      code: 'NETWORK',
      message: expect.stringContaining('it wants a client certificate'),
      hint: expect.stringMatching(/certs\.d.*client\.cert and client\.key/),
    })
  })
})

describe('skopeo', () => {
  const quiet = ['--quiet', '--src-tls-verify=false', '--dest-tls-verify=false']
  const exact = [...quiet, '--preserve-digests']

  it.skipIf(!withSkopeo)('reads from and writes to the in-memory registry (needs skopeo)', async () => {
    await using registry = await TestRegistry.start()
    const { descriptor } = registry.store.addImage('app', 'v1', [randomBytes(100_000), randomBytes(10)])
    await run('skopeo', ['copy', ...exact, `docker://${registry.host}/app:v1`, `docker://${registry.host}/copy:v1`])
    expect(registry.store.repository('copy').tags.get('v1')).toBe(descriptor.digest)
  })

  it.skipIf(!withSkopeo)('reads our layouts and archives, and we read its (needs skopeo)', async () => {
    await using folder = await temporaryDirectory()
    const at = (name: string) => join(folder.path, name)
    const { images } = await image()
    const { digest } = await images.resolve('v1')
    await copy(images, 'v1', await OciLayout.create(at('layout')), 'v1')
    for (const format of ['oci', 'docker'] as const) {
      await using archive = await ImageArchive.create(at(`${format}.tar`), { format })
      await copy(images, 'v1', archive, format === 'oci' ? 'v1' : 'example/app:v1')
      await archive.finish()
    }
    for (const [n, place] of [`oci:${at('layout')}:v1`, `oci-archive:${at('oci.tar')}:v1`].entries()) {
      const { stdout } = await run('skopeo', ['inspect', '--raw', place])
      expect(JSON.parse(stdout)).toEqual(JSON.parse((await images.fetchManifest('v1')).bytes.toString()))
      await run('skopeo', ['copy', ...exact, place, `oci:${at(`back-${n}`)}:v1`])
      expect((await (await OciLayout.open(at(`back-${n}`))).resolve('v1')).digest).toBe(digest)
    }
    await run('skopeo', [
      'copy',
      ...quiet,
      `docker-archive:${at('docker.tar')}:example/app:v1`,
      `docker-archive:${at('theirs.tar')}:other/app:v2`,
    ])
    await using theirs = await DockerArchive.open(at('theirs.tar'))
    expect(theirs.names()).toEqual(['other/app:v2'])
    const back = new MemoryImages()
    expect(await copy(theirs, 'other/app:v2', back, 'v1')).toMatchObject({ blobs: { uploaded: 4 } })
    expect((await back.fetchManifest('v1')).bytes.equals((await images.fetchManifest('v1')).bytes)).toBe(true)
    await run('skopeo', ['copy', ...exact, `oci:${at('layout')}:v1`, `oci-archive:${at('theirs-oci.tar')}:v9`])
    await using opened = await OciLayout.open(at('theirs-oci.tar'))
    expect((await opened.resolve('v9')).digest).toBe(digest)
    execFileSync('gzip', [at('theirs-oci.tar')])
    await using zipped = await OciLayout.open(at('theirs-oci.tar.gz'))
    expect((await zipped.fetchManifest('v9')).descriptor.digest).toBe(digest)
  })

  it.skipIf(!withSkopeo || !withRegistry)(
    'finds in a registry what we pushed, and we what it pushed (needs skopeo and docker-registry)',
    async () => {
      await using registry = await DockerRegistry.start()
      await using client = new RegistryClient(options)
      const { images } = await image()
      const { descriptor } = await copy(images, 'v1', client.repository(`${registry.host}/ours`), 'v1')
      await run('skopeo', [
        'copy',
        ...exact,
        `docker://${registry.host}/ours:v1`,
        `docker://${registry.host}/theirs:v1`,
      ])
      expect(await client.repository(`${registry.host}/theirs`).resolve('v1')).toEqual(descriptor)
      await run('skopeo', [
        'copy',
        ...quiet,
        '--format',
        'v2s2',
        `docker://${registry.host}/ours:v1`,
        `docker://${registry.host}/docker:v1`,
      ])
      const converted = new MemoryImages()
      const result = await copy(client.repository(`${registry.host}/docker`), 'v1', converted, 'v1')
      expect(result.descriptor.mediaType).toBe(mediaTypes.dockerManifest)
    },
  )
})
