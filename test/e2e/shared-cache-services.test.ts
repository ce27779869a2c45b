/** Two machines that have nothing in common but a cache in a service. */
import { type BuildOptions, build, type CacheSpec } from '@tsbuild/builder'
import { describe, expect, it } from 'vitest'
import { actionsToken, startActions } from '../../packages/builder/src/cache/services/actions-server.test-support.ts'
import { startBlobs, TEST_KEY } from '../../packages/builder/src/cache/services/blob-server.test-support.ts'
import { startS3 } from '../../packages/builder/src/cache/services/s3-server.test-support.ts'
import type { TestServer } from '../../packages/builder/src/cache/services/test-server.test-support.ts'
import { openWorkspace } from '../support/workspace.ts'

interface Service {
  readonly server: TestServer
  readonly spec: CacheSpec
  readonly env: Readonly<Record<string, string>>
  /** All that was written there. */
  content(): Iterable<Buffer>
}

const services: Readonly<Record<string, () => Promise<Service>>> = {
  async s3() {
    const { server, objects } = await startS3()
    const attrs = { bucket: 'bucket', endpoint_url: server.origin, use_path_style: 'true' }
    const env = { AWS_REGION: 'eu-x', AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'of the bucket' }
    return { server, spec: { type: 's3', attrs }, env, content: () => [...objects.values()].map(({ bytes }) => bytes) }
  },
  async azblob() {
    const { server, blobs } = await startBlobs()
    const attrs = { account_name: 'account', secret_access_key: TEST_KEY }
    const env = { BUILDKIT_AZURE_STORAGE_ACCOUNT_URL: `${server.origin}/account` }
    return {
      server,
      spec: { type: 'azblob', attrs },
      env,
      content: () => [...blobs.values()].map(({ bytes }) => bytes),
    }
  },
  async gha() {
    const { server, service } = await startActions()
    const token = actionsToken({ 'refs/heads/main': 3 })
    const env = { ACTIONS_RESULTS_URL: server.origin, ACTIONS_RUNTIME_TOKEN: token, ACTIONS_CACHE_SERVICE_V2: 'true' }
    const content = () => [...service.blobs.values()].map(({ bytes }) => bytes)
    return { server, spec: { type: 'gha', attrs: {} }, env, content }
  },
}

describe.each(Object.keys(services))('a shared cache in %s', (type) => {
  it('gives what was built elsewhere, fetches only what is asked for, and learns what is new', async () => {
    await using place = await openWorkspace()
    const { server, spec, env, content } = await services[type]!()
    await using _ = server
    const on = async (machine: string, files: Record<string, string>, options: Partial<BuildOptions>) => {
      const context = await place.files({ Dockerfile: 'FROM scratch\nCOPY a /a\nCOPY b /b\n', ...files })
      return await build({ context, root: place.join(machine), env: { HOME: place.home, ...env }, ...options })
    }
    const to = { ...spec, attrs: { ...spec.attrs, mode: 'max' } }
    const first = await on('one', { a: '1', b: '1' }, { cacheFrom: [spec], cacheTo: [to] })
    expect(first.steps).toEqual({ total: 2, cached: 0 })
    expect(first.cache.exported).toMatchObject([{ records: 2, sent: { blobs: 2 } }])
    const second = await on('two', { a: '1', b: '1' }, { cacheFrom: [spec], cacheTo: [to] })
    expect(second.steps).toEqual({ total: 2, cached: 2 })
    expect(second.digest).toBe(first.digest)
    expect(second.warnings).toEqual([])
    expect(second.cache.imported).toMatchObject([{ hits: 2, fetched: { blobs: 0 } }])
    expect(second.cache.exported).toMatchObject([{ sent: { blobs: 0 }, present: { blobs: 2 } }])
    const third = await on('three', { a: '1', b: '2' }, { cacheFrom: [spec], cacheTo: [to] })
    expect(third.steps).toEqual({ total: 2, cached: 1 })
    expect(third.cache.exported).toMatchObject([{ records: 3, sent: { blobs: 1 }, present: { blobs: 1 } }])
    const secrets = [...Object.values(env), TEST_KEY]
    expect([...content()].filter((bytes) => secrets.some((secret) => bytes.includes(secret)))).toEqual([])
  })

  it('is left out with a warning when it does not answer well', async () => {
    await using place = await openWorkspace()
    const { server, spec, env } = await services[type]!()
    await using _ = server
    server.fault = (_request, response) => {
      response.writeHead(403).end()
      return true
    }
    const context = await place.files({ Dockerfile: 'FROM scratch\nCOPY a /a\n', a: '1' })
    const all = { context, root: place.join('one'), env: { HOME: place.home, ...env } }
    const ignoring = { ...spec, attrs: { ...spec.attrs, 'ignore-error': 'true' } }
    const { warnings } = await build({ ...all, cacheFrom: [spec], cacheTo: [ignoring] })
    expect(warnings.map(({ message }) => message).join('\n')).toMatch(/cannot be used.*403.*not exported.*403/s)
    await expect(build({ ...all, cacheTo: [spec] })).rejects.toMatchObject({ code: 'CACHE_NOT_EXPORTED' })
  })
})
