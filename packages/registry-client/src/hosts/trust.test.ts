import { copyFile, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { digestOf } from '../model/digest.ts'
import { mediaTypes } from '../model/media-types.ts'
import { RegistryClient, type RegistryClientOptions } from '../registry/client.ts'
import { makeAuthority, type TestAuthority } from '../testing/authority.ts'
import { hasProgram } from '../testing/docker-registry.ts'
import { TestRegistry } from '../testing/index.ts'
import { start } from '../testing/start.ts'
import { temporaryDirectory } from '../testing/temporary.ts'

const withOpenssl = hasProgram('openssl')

describe.skipIf(!withOpenssl)('who is trusted (needs openssl)', () => {
  let folder: Awaited<ReturnType<typeof temporaryDirectory>>
  let authority: TestAuthority
  let registry: TestRegistry
  beforeAll(async () => {
    folder = await temporaryDirectory()
    authority = await makeAuthority(folder.path)
    registry = await TestRegistry.start({ tls: authority.server })
    registry.store.addImage('app', 'v1', [])
    await mkdir(join(folder.path, 'authorities'))
    await copyFile(authority.caFile, join(folder.path, 'authorities', 'own.pem'))
    await mkdir(join(folder.path, 'certs.d', registry.host), { recursive: true })
    await copyFile(authority.caFile, join(folder.path, 'certs.d', registry.host, 'ca.crt'))
    const other = await temporaryDirectory()
    await makeAuthority(other.path)
    await mkdir(join(folder.path, 'other.d', registry.host), { recursive: true })
    await copyFile(join(other.path, 'ca.crt'), join(folder.path, 'other.d', registry.host, 'ca.crt'))
    await other[Symbol.asyncDispose]()
  })
  afterAll(async () => {
    await registry?.[Symbol.asyncDispose]()
    await folder?.[Symbol.asyncDispose]()
  })

  const resolve = async (options: RegistryClientOptions) => {
    await using client = new RegistryClient({
      env: {},
      certsDirs: [],
      registriesConf: [],
      retry: { baseMs: 1, capMs: 5 },
      ...options,
    })
    return (await client.repository(`${registry.host}/app:v1`).resolve()).digest
  }

  it.for([
    ['a file of the options', () => ({ caFiles: [authority.caFile] })],
    ['SSL_CERT_FILE', () => ({ env: { SSL_CERT_FILE: authority.caFile } })],
    ['SSL_CERT_DIR', () => ({ env: { SSL_CERT_DIR: `/nowhere:${join(folder.path, 'authorities')}` } })],
    ['NODE_EXTRA_CA_CERTS', () => ({ env: { NODE_EXTRA_CA_CERTS: authority.caFile } })],
    ['certs.d', () => ({ certsDirs: [join(folder.path, 'certs.d')] })],
    [
      'the environment, where certs.d has another authority for the host',
      () => ({ env: { NODE_EXTRA_CA_CERTS: authority.caFile }, certsDirs: [join(folder.path, 'other.d')] }),
    ],
    [
      'a file of the options, where certs.d has another authority for the host',
      () => ({ caFiles: [authority.caFile], certsDirs: [join(folder.path, 'other.d')] }),
    ],
    ['nobody, for a host that is not checked', () => ({ insecure: [registry.host] })],
  ] as const)('by %s', async ([, options]) => {
    expect(await resolve(options())).toMatch(/^sha256:/)
  })

  it('and nobody else, with the ways to change that', async () => {
    for (const options of [{}, { certsDirs: [join(folder.path, 'other.d')] }]) {
      await expect(resolve(options)).rejects.toMatchObject({
        code: 'NETWORK',
        attempts: 1,
        message: expect.stringContaining('not signed by an authority that is trusted here'),
        hint: expect.stringMatching(/system's store.*SSL_CERT_FILE.*certs\.d.*--ca-file.*--insecure-registry 127/),
      })
    }
  })

  it('says which file or directory that was named could not be read', async () => {
    await expect(resolve({ env: { SSL_CERT_FILE: '/nowhere.pem', SSL_CERT_DIR: '/nowhere' } })).rejects.toThrow(
      /\(.*\); SSL_CERT_FILE names \/nowhere\.pem: there is no such file; SSL_CERT_DIR names \/nowhere: there is no such file$/,
    )
  })

  it('is told to downloads that come from no registry, too', async () => {
    const url = `${registry.url}/v2/`
    const text = async (options: RegistryClientOptions) => {
      await using client = new RegistryClient({ credentials: false, retry: { baseMs: 1 }, ...options })
      const { body } = await client.get(url)
      return Buffer.concat(await Array.fromAsync(body, (chunk) => Buffer.from(chunk))).toString()
    }
    await expect(text({ env: {} })).rejects.toThrow('not signed by an authority that is trusted here')
    for (const options of [{ env: {}, caFiles: [authority.caFile] }, { env: { SSL_CERT_FILE: authority.caFile } }])
      expect(await text(options)).toBe('{}')
  })

  it('is told to the URLs of foreign layers, too', async () => {
    const url = `${registry.url}/v2/`
    const foreign = { mediaType: mediaTypes.ociForeignLayer, digest: digestOf('{}'), size: 2, urls: [url] }
    await using plain = await start()
    plain.registry.store.addImage('app', 'v1', [])
    const read = async (caFiles: readonly string[]) => {
      const foreignLayers = { allow: true, allowPrivate: true }
      await using client = new RegistryClient({ env: {}, retry: { baseMs: 1 }, foreignLayers, caFiles })
      const repository = client.repository(`${plain.registry.host}/app`)
      return Buffer.concat(await Array.fromAsync(repository.openBlob(foreign))).toString()
    }
    await expect(read([])).rejects.toThrow('not signed by an authority that is trusted here')
    expect(await read([authority.caFile])).toBe('{}')
  })

  it('refuses files that have no certificate', async () => {
    const empty = join(folder.path, 'empty.pem')
    await writeFile(empty, 'nothing')
    await expect(resolve({ caFiles: [empty] })).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
    await expect(resolve({ caFiles: [folder.path] })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringMatching(/: it is a directory$/),
    })
    await expect(resolve({ caFiles: ['/nowhere.pem'] })).rejects.toThrow('no such file')
  })
})

describe('a server that is asked for the first time', () => {
  it.for([1, 2])('and breaks the connection %i times is asked again', async (resets) => {
    await using registry = await TestRegistry.start()
    registry.store.addImage('app', 'v1', [])
    registry.inject({
      times: resets,
      fault: {
        kind: 'handle',
        handle: (request) => {
          request.socket.resetAndDestroy()
          return true
        },
      },
    })
    await using client = new RegistryClient({
      env: {},
      certsDirs: [],
      registriesConf: [],
      retry: { baseMs: 1, capMs: 5 },
    })
    expect(await client.repository(`${registry.host}/app:v1`).resolve()).toMatchObject({ size: expect.any(Number) })
  })

  it('and breaks every connection is not said to have spoken TLS', async () => {
    await using registry = await TestRegistry.start()
    registry.inject({
      times: 1000,
      fault: {
        kind: 'handle',
        handle: (request) => {
          request.socket.resetAndDestroy()
          return true
        },
      },
    })
    await using client = new RegistryClient({
      env: {},
      certsDirs: [],
      registriesConf: [],
      retry: { baseMs: 1, capMs: 5, attempts: 2 },
    })
    const error = await client
      .repository(`${registry.host}/app:v1`)
      .resolve()
      .catch((e: Error) => e)
    expect(error).toMatchObject({ code: 'NETWORK', message: expect.stringContaining('ECONNRESET') })
    expect(error).not.toMatchObject({ message: expect.stringMatching(/SSL|TLS/) })
  })
})
