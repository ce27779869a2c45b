import { describe, expect, it } from 'vitest'
import { type BackendSubject, backendContract, type Damage, exampleCache } from '../backend.contract.ts'
import { startBlobs, TEST_KEY, type TestBlobs } from '../services/blob-server.test-support.ts'
import { type Exchange, TestServer } from '../services/test-server.test-support.ts'
import { prepareCacheFrom, prepareCacheTo } from '../spec.ts'
import { damaged, faultsOf, Machines, pieces } from './service-subject.test-support.ts'

backendContract('azblob', subject, 30)

function attributes({ server }: TestBlobs, others: Record<string, string> = {}): Record<string, string> {
  return { account_url: `${server.origin}/account`, account_name: 'account', secret_access_key: TEST_KEY, ...others }
}

async function subject(): Promise<BackendSubject> {
  const azure = await startBlobs()
  const machines = new Machines()
  const attrs = attributes(azure)
  const change = (key: string, how: Damage) => {
    const name = `account/buildkit-cache/${key}`
    const there = azure.blobs.get(name)!
    if (how === 'missing') azure.blobs.delete(name)
    else azure.blobs.set(name, { ...there, bytes: damaged(there.bytes, how), etag: `"${how}"` })
  }
  return {
    importer: () => prepareCacheFrom([{ type: 'azblob', attrs }], {})[0]!.open(machines.next()),
    exporter: () => prepareCacheTo([{ type: 'azblob', attrs }], {})[0]!.open!(machines.next()),
    spoil: async ({ digest }, how) => change(`blobs/${digest}`, how),
    spoilDocument: async (how) => change('manifests/tsbuild', how),
    faults: faultsOf(azure.server, machines, /manifests/),
    async [Symbol.asyncDispose]() {
      await machines[Symbol.asyncDispose]()
      await azure.server[Symbol.asyncDispose]()
    },
  }
}

const signal = new AbortController().signal
const options = { signal, mountFrom: [], onProgress: () => {} }

async function saveAndLoad(attrs: Record<string, string>, env: Record<string, string>) {
  await using machines = new Machines()
  const cache = exampleCache()
  await using exporter = await prepareCacheTo([{ type: 'azblob', attrs }], env)[0]!.open!(machines.next())
  await exporter.save(
    cache.document,
    ({ digest }) =>
      () =>
        pieces(cache.contents.get(digest)!),
    options,
  )
  await using importer = await prepareCacheFrom([{ type: 'azblob', attrs }], env)[0]!.open(machines.next())
  return { cache, loaded: await importer.load({ signal }) }
}

describe('azblob', () => {
  it.each<[string, Record<string, string>, RegExp]>([
    ['no account', {}, /BUILDKIT_AZURE_STORAGE_ACCOUNT_URL/],
    ['what is no URL', { account_url: 'somewhere' }, /not a URL/],
    ['a container that cannot be', { account_url: 'https://a.example', container: 'A/B' }, /invalid container/],
    ['a prefix that leads elsewhere', { account_url: 'https://a.example', prefix: '../b' }, /invalid prefix/],
  ])('refuses %s', (_, attrs, message) => {
    expect(() => prepareCacheTo([{ type: 'azblob', attrs }], {})).toThrow(message)
    expect(() => prepareCacheFrom([{ type: 'azblob', attrs }], {})).toThrow(message)
  })

  it('has its places and credentials from the environment, too', async () => {
    const azure = await startBlobs()
    await using _ = azure.server
    const env = {
      BUILDKIT_AZURE_STORAGE_ACCOUNT_URL: `${azure.server.origin}/account/`,
      BUILDKIT_AZURE_STORAGE_ACCOUNT_NAME: 'account',
      BUILDKIT_AZURE_STORAGE_CONTAINER: 'some-where',
      BUILDKIT_AZURE_STORAGE_PREFIX: '/team/',
    }
    const attrs = { secret_access_key: TEST_KEY, name: 'main;v1', blobs_prefix: 'b/', manifests_prefix: 'm' }
    const { cache, loaded } = await saveAndLoad(attrs, env)
    expect(loaded.documents).toHaveLength(2)
    const blobs = [...cache.contents.keys()].map((digest) => `team/b/${digest}`)
    const names = [...blobs, 'team/m/main', 'team/m/v1'].map((name) => `account/some-where/${name}`)
    expect([...azure.blobs.keys()].sort()).toEqual(names.sort())
  })

  it('takes a signature in the URL, and shows it to nobody', async () => {
    const azure = await startBlobs()
    await using _ = azure.server
    azure.containers.add('account/cache')
    const attrs = { account_url: `${azure.server.origin}/account?sv=2021&sig=good`, container: 'cache' }
    expect((await saveAndLoad(attrs, {})).loaded.documents).toHaveLength(1)
    const bad = { ...attrs, account_url: attrs.account_url.replace('good', 'nobody-knows-this') }
    const error = await saveAndLoad(bad, {}).catch((reason: unknown) => reason)
    expect(error).toMatchObject({
      code: 'CACHE_NOT_EXPORTED',
      message: expect.stringContaining('AuthenticationFailed'),
    })
    expect(String(error)).not.toContain('nobody-knows-this')
  })

  it.each<[string, Record<string, string>, RegExp]>([
    ['the secret of an application', { AZURE_CLIENT_SECRET: 'hush' }, /client_secret=hush/],
    ['the identity of a service', { IDENTITY_HEADER: 'hush' }, /^GET .*resource=https.*storage.*hush$/s],
  ])('asks for a token by %s', async (_, env, pattern) => {
    const asked: string[] = []
    const azure = await startBlobs()
    await using _blobs = azure.server
    await using login = await new TestServer(({ method, url, headers, body, response }: Exchange) => {
      asked.push(`${method} ${url.href}\n${body}${headers['x-identity-header'] ?? ''}`)
      response.end(JSON.stringify({ access_token: 'good', expires_in: method === 'GET' ? '3600' : 3600 }))
    }).start()
    const all = {
      AZURE_TENANT_ID: 'tenant',
      AZURE_CLIENT_ID: 'id',
      AZURE_AUTHORITY_HOST: login.origin,
      IDENTITY_ENDPOINT: `${login.origin}/msi/token`,
      ...env,
    }
    const attrs = { account_url: `${azure.server.origin}/account` }
    expect((await saveAndLoad(attrs, all)).loaded.documents).toHaveLength(1)
    // Once for each machine.
    expect(asked).toHaveLength(2)
    expect(asked[0]).toMatch(pattern)
  })
})
