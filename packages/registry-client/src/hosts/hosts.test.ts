import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { copy } from '../copy/copy.ts'
import { MemoryImages } from '../layout/memory.ts'
import { RegistryClient, type RegistryClientOptions } from '../registry/client.ts'
import { TestRegistry } from '../testing/index.ts'
import { temporaryDirectory } from '../testing/temporary.ts'
import type { RegistryEvent } from '../transport/events.ts'
import { isLoopback, isPrivateAddress } from '../transport/loopback.ts'
import { type Endpoint, repositoryPath } from './endpoint.ts'
import { findRule, parseRegistriesConf } from './registries-conf.ts'
import { HostsResolver } from './resolver.ts'

const show = (endpoints: readonly Endpoint[], repository = 'library/x') =>
  endpoints.map(
    (endpoint) =>
      `${endpoint.base.href}${repositoryPath(endpoint, repository)} ${[...endpoint.capabilities].join('+')}${endpoint.namespace ? ` ns=${endpoint.namespace}` : ''}`,
  )

const all = 'pull+resolve+push'
const none = { certsDirs: [], registriesConf: [] }

describe('servers of a registry', () => {
  it.for([
    ['docker.io', {}, [`https://registry-1.docker.io/v2/library/x ${all}`]],
    ['r.example:8443', {}, [`https://r.example:8443/v2/library/x ${all}`]],
    ['127.0.0.1:5000', {}, [`http://127.0.0.1:5000/v2/library/x ${all}`]],
    ['[::1]:5000', {}, [`http://[::1]:5000/v2/library/x ${all}`]],
    ['r.example', { plainHttp: ['r.example'] }, [`http://r.example/v2/library/x ${all}`]],
    ['r.example', { plainHttp: ['other.example'] }, [`https://r.example/v2/library/x ${all}`]],
    [
      'docker.io',
      { mirrors: { 'docker.io': '127.0.0.1:5000' } },
      [
        'http://127.0.0.1:5000/v2/library/x pull+resolve ns=docker.io',
        `https://registry-1.docker.io/v2/library/x ${all}`,
      ],
    ],
    [
      'docker.io',
      { mirrors: { 'index.docker.io': ['m.example/hub', 'http://n.example'] } },
      [
        'https://m.example/v2/hub/library/x pull+resolve ns=docker.io',
        'http://n.example/v2/library/x pull+resolve ns=docker.io',
        `https://registry-1.docker.io/v2/library/x ${all}`,
      ],
    ],
    [
      'docker.io',
      { mirrors: { 'docker.io': 'm.example' }, mirrorsOnly: true },
      ['https://m.example/v2/library/x pull+resolve ns=docker.io', 'https://registry-1.docker.io/v2/library/x push'],
    ],
    [
      'r.example',
      { mirrors: { 'docker.io': 'm.example' }, mirrorsOnly: true },
      [`https://r.example/v2/library/x ${all}`],
    ],
  ] as const)('%s with %j', async ([registry, options, expected]) => {
    expect(show(await new HostsResolver({ ...none, ...options }).endpoints(registry, 'library/x'))).toEqual(expected)
  })

  it('come from hosts.toml', async () => {
    await using folder = await temporaryDirectory({
      'docker.io/hosts.toml': `
        server = "https://registry-1.docker.io"
        [host."https://mirror.example:5000"]
          capabilities = ["pull"]
          skip_verify = true
          [host."https://mirror.example:5000".header]
            x-team = ["a", "b"]
        [host."http://cache.example/v2/hub"]
          override_path = true`,
      'broken.example/hosts.toml': 'server = ',
      'odd.example/hosts.toml': '[host."https://x"]\ncapabilities = ["fly"]',
      'port.example_8443_/hosts.toml': 'server = "http://elsewhere.example"',
      '_default/hosts.toml': '[host."http://default.example"]',
    })
    const resolver = new HostsResolver({ ...none, certsDirs: [folder.path] })
    const endpoints = await resolver.endpoints('docker.io', 'library/x')
    expect(show(endpoints)).toEqual([
      'https://mirror.example:5000/v2/library/x pull ns=docker.io',
      `http://cache.example/v2/hub/library/x ${all} ns=docker.io`,
      `https://registry-1.docker.io/v2/library/x ${all}`,
    ])
    expect(endpoints[0]).toMatchObject({
      headers: { 'x-team': 'a, b' },
      tls: { rejectUnauthorized: false },
      mirror: true,
      host: 'mirror.example:5000',
    })
    expect(endpoints[2]).toMatchObject({ mirror: false, host: 'docker.io' })
    expect(show(await resolver.endpoints('port.example:8443', 'library/x'))).toEqual([
      `http://elsewhere.example/v2/library/x ${all} ns=port.example:8443`,
    ])
    expect(show(await resolver.endpoints('any.example', 'library/x'))[0]).toContain('http://default.example/')
    await expect(resolver.endpoints('broken.example', 'x')).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
    await expect(resolver.endpoints('odd.example', 'x')).rejects.toThrow('unknown capability "fly"')
  })

  it('come from registries.conf', async () => {
    const text = `
      unqualified-search-registries = ["docker.io"]
      [[registry]]
      prefix = "docker.io/library"
      location = "mirror.example/hub"
      [[registry.mirror]]
      location = "127.0.0.1:5001/cache"
      pull-from-mirror = "digest-only"
      [[registry]]
      location = "evil.example"
      blocked = true
      [[registry]]
      prefix = "*.corp.example"
      insecure = true`
    await using folder = await temporaryDirectory({
      'registries.conf': text,
      'registries.conf.d/50-more.conf':
        '[[registry]]\nprefix = "docker.io/library/special"\nlocation = "special.example/x"',
    })
    const resolver = new HostsResolver({ ...none, registriesConf: [join(folder.path, 'registries.conf')] })
    expect(show(await resolver.endpoints('docker.io', 'library/x'))).toEqual([
      'http://127.0.0.1:5001/v2/cache/x pull',
      `https://mirror.example/v2/hub/x ${all}`,
    ])
    expect(show(await resolver.endpoints('docker.io', 'library/special'), 'library/special')).toEqual([
      `https://special.example/v2/x ${all}`,
    ])
    expect(show(await resolver.endpoints('docker.io', 'other/x'), 'other/x')).toEqual([
      `https://registry-1.docker.io/v2/other/x ${all}`,
    ])
    expect((await resolver.endpoints('a.corp.example', 'x'))[0]).toMatchObject({
      tls: { rejectUnauthorized: false },
      otherScheme: 'http:',
    })
    await expect(resolver.endpoints('evil.example', 'x')).rejects.toMatchObject({ code: 'DENIED' })
    expect(findRule(parseRegistriesConf(text, 'f'), 'docker.io', 'libraryx/y')).toBeUndefined()
    expect(() => parseRegistriesConf('[registries.search]\nregistry = 1\n[registry]\na = 1', 'f')).toThrow('version 1')
  })
})

describe('mirrors', () => {
  const options: RegistryClientOptions = {
    env: {},
    ...none,
    retry: { attempts: 2, baseMs: 1 },
    timeouts: { idleMs: 300_000 },
  }

  it('are tried first, and what they do not have comes from the registry', async () => {
    await using mirror = await TestRegistry.start()
    await using upstream = await TestRegistry.start()
    const events: RegistryEvent[] = []
    const { descriptor, manifest } = upstream.store.addImage('app', 'v1', [randomBytes(100)])
    await using client = new RegistryClient({
      ...options,
      mirrors: { [upstream.host]: mirror.host },
      onEvent: (event) => events.push(event),
    })
    const repository = client.repository(`${upstream.host}/app:v1`)
    expect((await repository.resolve()).digest).toBe(descriptor.digest)
    expect(events.filter(({ type }) => type === 'mirror')).toMatchObject([
      { outcome: 'skipped', host: mirror.host, registry: upstream.host },
    ])
    expect(mirror.requests[0]!.path).toBe(`/v2/app/manifests/v1?ns=${encodeURIComponent(upstream.host)}`)
    mirror.store.repositories.set('app', upstream.store.repository('app'))
    upstream.reset()
    await repository.fetchManifest()
    await Array.fromAsync(repository.openBlob(manifest.layers[0]!))
    expect(upstream.requests).toEqual([])
  })

  it('may break in the middle of a blob', async () => {
    await using mirror = await TestRegistry.start()
    await using upstream = await TestRegistry.start()
    const layer = randomBytes(1 << 20)
    const { manifest } = upstream.store.addImage('app', 'v1', [layer])
    mirror.store.repositories.set('app', upstream.store.repository('app'))
    mirror.inject(
      { method: 'GET', path: /blobs/, fault: { kind: 'close', afterBytes: 1000 } },
      { method: 'GET', path: /blobs/, times: 99, fault: { kind: 'status', status: 500 } },
    )
    await using client = new RegistryClient({ ...options, mirrors: { [upstream.host]: mirror.host } })
    const chunks = await Array.fromAsync(client.repository(`${upstream.host}/app`).openBlob(manifest.layers[0]!))
    expect(Buffer.concat(chunks).equals(layer)).toBe(true)
    expect(upstream.requests.at(-1)!.headers.range).toBe('bytes=1000-')
  })

  it('that give a wrong blob are not asked for it again', async () => {
    await using mirror = await TestRegistry.start()
    await using upstream = await TestRegistry.start()
    const layer = randomBytes(1 << 20)
    const { manifest } = upstream.store.addImage('app', 'v1', [layer])
    mirror.store.repositories.set('app', upstream.store.repository('app'))
    mirror.inject({ method: 'GET', path: /blobs/, times: 99, fault: { kind: 'flip', at: 10 } })
    await using client = new RegistryClient({ ...options, mirrors: { [upstream.host]: mirror.host } })
    const images = new MemoryImages()
    await copy(client.repository(`${upstream.host}/app`), 'v1', images, 'v1')
    expect(Buffer.concat(await Array.fromAsync(images.openBlob(manifest.layers[0]!))).equals(layer)).toBe(true)
  })

  it('are never pushed to', async () => {
    await using mirror = await TestRegistry.start()
    await using upstream = await TestRegistry.start()
    await using client = new RegistryClient({ ...options, mirrors: { [upstream.host]: mirror.host } })
    await client.repository(`${upstream.host}/app`).uploadStream(
      (async function* () {
        yield Buffer.from('x')
      })(),
    )
    expect(mirror.requests).toEqual([])
    expect(upstream.store.repository('app').blobs.size).toBe(1)
  })

  it('that are not there do not hold anything up', async () => {
    await using upstream = await TestRegistry.start()
    upstream.store.addImage('app', 'v1', [randomBytes(100)])
    const events: RegistryEvent[] = []
    await using client = new RegistryClient({
      ...options,
      mirrors: { [upstream.host]: '127.0.0.1:1' },
      onEvent: (event) => events.push(event),
    })
    const repository = client.repository(`${upstream.host}/app`)
    for (let n = 0; n < 5; n++) await repository.resolve('v1')
    expect(events.filter(({ type }) => type === 'retry')).toHaveLength(1)
    expect(events.filter(({ type }) => type === 'mirror')).toHaveLength(1)
  })
})

describe('addresses', () => {
  it.for([
    ['localhost', true],
    ['a.localhost', true],
    ['127.0.0.1', true],
    ['127.255.0.1', true],
    ['[::1]', true],
    ['::ffff:127.0.0.1', true],
    ['localhost.example', false],
    ['10.0.0.1', false],
    ['127.0.0.1.example', false],
  ] as const)('%s is loopback: %s', ([host, expected]) => {
    expect(isLoopback(host)).toBe(expected)
  })

  it.for([
    ['10.1.1.1', true],
    ['169.254.169.254', true],
    ['192.168.1.1', true],
    ['172.31.0.1', true],
    ['0.0.0.0', true],
    ['::1', true],
    ['fd00::1', true],
    ['fe80::1', true],
    ['::ffff:10.0.0.1', true],
    ['8.8.8.8', false],
    ['172.32.0.1', false],
    ['2606:4700::1', false],
    ['name.example', false],
  ] as const)('%s is private: %s', ([address, expected]) => {
    expect(isPrivateAddress(address)).toBe(expected)
  })
})
