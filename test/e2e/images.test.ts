import { existsSync, readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { builtDigest } from '../support/progress.ts'
import { registryUser, startRegistry } from '../support/registry.ts'
import { gate } from '../support/tools.ts'
import { openWorkspace, type Workspace } from '../support/workspace.ts'

const needs = gate('docker-registry', 'busybox')

interface Listed {
  name: string
  digest: string
  platforms: string[]
  size: number
}

describe.skipIf(needs.skip)(`commands on the store${needs.note}`, () => {
  let place: Workspace
  let digest: string

  const images = async (): Promise<Listed[]> =>
    JSON.parse((await place.must(['images', '--format', 'json'])).stdout) as Listed[]
  const names = async (): Promise<string[]> => (await images()).map((image) => image.name)
  const used = async (): Promise<number> =>
    (JSON.parse((await place.must(['du', '--format', 'json'])).stdout) as { total: number }).total

  beforeAll(async () => {
    place = await openWorkspace()
    const context = await place.files({
      Dockerfile: `FROM ${inject('registry')}/busybox\nRUN head -c 100000 /dev/urandom > /random\nCMD ["echo", "hi"]\n`,
    })
    digest = builtDigest((await place.must(['-t', 'one:1', context])).stderr)
  })
  afterAll(() => place[Symbol.asyncDispose]())

  it('images lists names, digests, platforms and sizes', async () => {
    const [image] = await images()
    expect(image).toMatchObject({ name: 'docker.io/library/one:1', digest, platforms: ['linux/amd64'] })
    expect(image!.size).toBeGreaterThan(100_000)
    const table = (await place.must(['images'])).stdout
    expect(table).toMatch(/^NAME +DIGEST +PLATFORM +SIZE +TAGGED\n/)
    expect((await place.must(['images', '-q', 'one'])).stdout).toBe(`${digest}\n`)
    expect((await place.must(['images', '-q', 'two'])).stdout).toBe('')
  })

  it('tag gives other names, rmi takes them away', async () => {
    await place.must(['tag', 'one:1', 'two', `${inject('registry')}/images/three:3`])
    expect(await names()).toEqual([
      `${inject('registry')}/images/three:3`,
      'docker.io/library/one:1',
      'docker.io/library/two:latest',
    ])
    await place.must(['rmi', 'two'])
    expect(await names()).not.toContain('docker.io/library/two:latest')
    const missing = await place.run(['rmi', 'two'])
    expect(missing.code).toBe(1)
    expect(missing.stderr).toMatch(/^ERROR: .*two/)
    const untaggable = await place.run(['tag', 'nothing', 'x'])
    expect(untaggable.code).toBe(1)
    expect(untaggable.stderr).toMatch(/^ERROR: .*nothing/)
  })

  it('inspect shows config and layers, of the store and of a registry', async () => {
    const text = (await place.must(['inspect', 'one:1'])).stdout
    expect(text).toContain(digest)
    expect(text).toContain('["echo","hi"]')
    const json = JSON.parse((await place.must(['inspect', '--format', 'json', 'one:1'])).stdout) as {
      digest: string
      images: { config: { config: { Cmd: string[] } }; layers: unknown[] }[]
    }
    expect(json.digest).toBe(digest)
    expect(json.images[0]!.layers).toHaveLength(2)
    const remote = (await place.must(['inspect', `${inject('registry')}/busybox`])).stdout
    expect(remote).toContain('linux/arm64')
  })

  it('push sends an image that another store pulls', async () => {
    const name = `${inject('registry')}/images/three:3`
    expect((await place.must(['push', name])).stdout).toBe(`${digest}\n`)
    await using other = await openWorkspace()
    expect((await other.must(['pull', name])).stdout).toBe(`${digest}\n`)
    expect((await other.must(['inspect', '--raw', name])).stdout).toBe(
      (await place.must(['inspect', '--raw', name])).stdout,
    )
    const context = await other.files({ Dockerfile: `FROM ${name}\nRUN test -s /random\n` })
    await other.must([context])
  })

  it('a pulled image is a base without its registry', async () => {
    await using registry = await startRegistry()
    const name = `${registry.host}/gone:1`
    await place.must(['tag', 'one:1', name])
    await place.must(['push', name])
    await using other = await openWorkspace()
    await other.must(['pull', name])
    await registry[Symbol.asyncDispose]()
    const context = await other.files({ Dockerfile: `FROM ${name}\nRUN test -s /random\n` })
    await other.must([context])
    const fresh = await other.run(['--pull', context])
    expect(fresh.code).toBe(1)
  })

  it('du counts and prune frees what no name needs', async () => {
    const before = await used()
    expect(before).toBeGreaterThan(100_000)
    await place.must(['prune'])
    // A named image stays whole.
    await place.must(['inspect', 'one:1'])
    const context = await place.files({ Dockerfile: 'FROM one:1\nCMD ["x"]\n' }, 'child')
    await place.must([context])
    for (const name of await names()) await place.must(['rmi', name])
    await place.must(['prune', '--all'])
    expect(await used()).toBeLessThan(50_000)
    expect(await names()).toEqual([])
  })

  it('version, help and completion print to stdout', async () => {
    expect((await place.must(['version'])).stdout).toMatch(/^tsbuild \d+\.\d+\.\d+/)
    for (const args of [['help'], ['--help'], ['push', '--help'], ['completion', 'bash']])
      expect((await place.must(args)).stdout.length).toBeGreaterThan(200)
  })

  it('login checks and keeps a password, logout forgets it', async () => {
    await using registry = await startRegistry({ password: true })
    const config = place.join('home/.docker/config.json')
    const login = (password: string) =>
      place.run(['login', '-u', registryUser.name, '--password-stdin', registry.host], { stdin: password })
    const wrong = await login('wrong')
    expect(wrong.code).toBe(1)
    expect(existsSync(config) && readFileSync(config, 'utf8').includes(registry.host)).toBe(false)
    const right = await login(registryUser.password)
    expect(right.code, right.stderr).toBe(0)
    expect(readFileSync(config, 'utf8')).toContain(registry.host)
    const context = await place.files({ Dockerfile: 'FROM scratch\nLABEL a=b\n' }, 'login')
    await place.must(['-t', `${registry.host}/app`, '--push', context])
    await place.must(['logout', registry.host])
    expect(readFileSync(config, 'utf8')).not.toContain(registry.host)
    expect((await place.run(['-t', `${registry.host}/app:2`, '--push', context])).code).toBe(1)
  })
})
