import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { copy, MemoryImages, mediaTypes, RegistryClient } from '@tsbuild/registry-client'
import { TestRegistry } from '@tsbuild/registry-client/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type RunResult, runMain } from './run.test-support.ts'

let dir: string
let registry: TestRegistry
/** Digests of what the registry has: an index of two platforms, and the manifests. */
let digests: { index: string; amd64: string; arm64: string }

const run = (argv: readonly string[], input?: string): Promise<RunResult> =>
  runMain(argv, { HOME: dir, DOCKER_CONFIG: join(dir, 'docker'), TSBUILD_ROOT: join(dir, 'root') }, dir, input)

const config = async () => JSON.parse(await readFile(join(dir, 'docker/config.json'), 'utf8')) as { auths: object }

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tsbuild-registries-'))
  registry = await TestRegistry.start({ auth: { kind: 'basic', users: { ann: 'pa:ss' } } })
  const credentials = () => ({ username: 'ann', password: 'pa:ss' })
  await using client = new RegistryClient({ credentials, env: {} })
  const images = new MemoryImages()
  const amd64 = await image(images, 'amd64')
  const arm64 = await image(images, 'arm64')
  const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [amd64, arm64] }
  const { digest } = await images.pushManifest(Buffer.from(JSON.stringify(index)), index.mediaType, { tags: ['1'] })
  await copy(images, '1', client.repository(`${registry.host}/team/app`), ['1', '2'])
  digests = { index: digest, amd64: amd64.digest, arm64: arm64.digest }
})

async function image(images: MemoryImages, architecture: string) {
  const layer = images.addBlob(Buffer.from(`layer of ${architecture}`), mediaTypes.ociLayerGzip)
  const diffIds = [layer.digest]
  const document = {
    os: 'linux',
    architecture,
    config: { Cmd: ['/app'] },
    rootfs: { type: 'layers', diff_ids: diffIds },
  }
  const configBlob = images.addBlob(Buffer.from(JSON.stringify(document)), mediaTypes.ociConfig)
  const manifest = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config: configBlob, layers: [layer] }
  const descriptor = await images.pushManifest(Buffer.from(JSON.stringify(manifest)), manifest.mediaType)
  return { ...descriptor, platform: { os: 'linux', architecture } }
}

afterAll(async () => {
  await registry[Symbol.asyncDispose]()
  await rm(dir, { recursive: true })
})

describe('commands for registries', () => {
  const app = () => `${registry.host}/team/app`

  it('need credentials', async () => {
    const { code, stderr } = await run(['tags', app()])
    expect(code).toBe(1)
    expect(stderr).toMatch(/^ERROR: .*authorization failed/)
  })

  it('login refuses a wrong password and stores nothing', async () => {
    const { code, stderr } = await run(['login', '-u', 'ann', '--password-stdin', registry.host], 'wrong')
    expect(code).toBe(1)
    expect(stderr).toMatch(/^ERROR: .*authorization failed/)
    expect(stderr).not.toContain('wrong')
    await expect(stat(join(dir, 'docker/config.json'))).rejects.toMatchObject({ code: 'ENOENT' })
  })

  it('login asks only a terminal', async () => {
    expect(await run(['login', registry.host])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('no terminal'),
    })
    expect(await run(['login', '--password-stdin', registry.host], 'x')).toMatchObject({ code: 2 })
    expect(await run(['login', '-u', 'a', '--password-stdin', registry.host], '\n')).toMatchObject({ code: 2 })
    expect(await run(['login', '-u', 'a', '-p', 'b', '--password-stdin', 'a b'], 'x')).toMatchObject({ code: 2 })
    expect(await run(['login', 'a b'])).toMatchObject({ code: 2, stderr: expect.stringContaining('invalid registry') })
  })

  it('login stores what the registry accepts', async () => {
    const { code, stdout, stderr } = await run(
      ['login', '-u', 'ann', '--password-stdin', `http://${registry.host}/`],
      'pa:ss\n',
    )
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' })
    expect(stderr).toContain(`logged in to ${registry.host} as ann`)
    expect((await config()).auths).toHaveProperty([registry.host, 'auth'], Buffer.from('ann:pa:ss').toString('base64'))
    expect((await stat(join(dir, 'docker/config.json'))).mode & 0o777).toBe(0o600)
  })

  it('login warns of a password among the arguments', async () => {
    const { code, stderr } = await run(['login', '-u', 'ann', '-p', 'pa:ss', registry.host])
    expect(code).toBe(0)
    expect(stderr).toMatch(/^WARNING: --password shows the password/)
    expect(stderr).not.toContain('pa:ss')
  })

  it('tags lists tags', async () => {
    expect(await run(['tags', app()])).toEqual({ code: 0, stdout: '1\n2\n', stderr: '' })
    expect(await run(['tags', '--limit', '1', app()])).toMatchObject({ stdout: '1\n' })
    expect(JSON.parse((await run(['tags', '--after=1', '--format=json', app()])).stdout)).toEqual(['2'])
  })

  it('digest prints digests', async () => {
    expect((await run(['digest', `${app()}:1`])).stdout).toBe(`${digests.index}\n`)
    const { stdout } = await run(['digest', '--full', '--platform', 'linux/arm64', `${app()}:1`])
    expect(stdout).toBe(`${app()}@${digests.arm64}\n`)
    expect(await run(['digest', `${app()}:none`])).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/none: not found/),
    })
  })

  it('inspect asks the registry for what the store has not', async () => {
    const { stdout } = await run(['inspect', `${app()}:1`])
    expect(stdout).toMatch(/^Platform +linux\/amd64$/m)
    expect(stdout).toMatch(/^Platform +linux\/arm64$/m)
    const { stdout: raw } = await run(['inspect', '--raw', '--platform=linux/amd64', `${app()}:1`])
    expect(JSON.parse(raw)).toMatchObject({ mediaType: mediaTypes.ociManifest })
  })

  it('pull, images, tag, push and rmi move an image through the store', async () => {
    const platform = ['--platform', 'linux/arm64']
    expect(await run(['pull', '-q', ...platform, `${app()}:1`])).toEqual({
      code: 0,
      stdout: `${digests.arm64}\n`,
      stderr: '',
    })
    const [row] = JSON.parse((await run(['images', '--format', 'json'])).stdout) as object[]
    expect(row).toMatchObject({ name: `${app()}:1`, digest: digests.arm64, platforms: ['linux/arm64'] })
    expect(await run(['tag', `${app()}:1`, 'mine', `${app()}:new`])).toMatchObject({ code: 0 })
    expect((await run(['images', '-q', 'mine'])).stdout).toBe(`${digests.arm64}\n`)
    expect((await run(['inspect', '--format=json', digests.arm64.slice(7, 19)])).stdout).toContain(digests.arm64)
    expect(await run(['push', '-q', `${app()}:new`])).toMatchObject({ code: 0, stdout: `${digests.arm64}\n` })
    expect((await run(['digest', `${app()}:new`])).stdout).toBe(`${digests.arm64}\n`)
    expect(await run(['rmi', 'mine', `${app()}:new`, `${app()}:1`])).toMatchObject({ code: 0, stdout: '' })
    expect(await run(['rmi', 'mine'])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^ERROR: no such image: .*mine/),
    })
    expect(await run(['rmi', '-f', 'mine'])).toMatchObject({ code: 0, stderr: '' })
    expect(await run(['images'])).toMatchObject({ stdout: '' })
    expect(await run(['push', 'mine'])).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('no such image'),
    })
  })

  it('images, inspect, history, du, save, load and all tags, as docker has them', async () => {
    const repository = `${registry.host}/team/docker`
    for (const tag of ['1', '2']) await run(['copy', '-q', `${app()}:1`, `${repository}:${tag}`])
    const root = ['--root', join(dir, 'docker-like')]
    const here = ['--platform', 'linux/amd64']
    expect(await run(['pull', '-q', '-a', ...root, ...here, repository])).toMatchObject({
      code: 0,
      stdout: `${digests.amd64}\n`.repeat(2),
    })
    expect(await run(['pull', '-a', ...root, `${repository}:1`])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("tag can't be used with --all-tags/-a"),
    })
    const table = await run(['images', ...root, '--format', 'table {{.Repository}}\\t{{.Tag}}'])
    expect(table.stdout).toBe(
      ['REPOSITORY', repository, repository]
        .map((name, i) => `${name.padEnd(repository.length + 3)}${['TAG', '1', '2'][i]}\n`)
        .join(''),
    )
    expect(
      (await run(['images', ...root, '-a', '--filter', 'reference=*/team/*:2', '--format', '{{.Tag}}'])).stdout,
    ).toBe('2\n')
    expect((await run(['images', ...root, '--digests'])).stdout).toContain(digests.amd64)
    const field = async (...args: string[]): Promise<string> => (await run([...args, ...root])).stdout
    const id = await field('inspect', '-f', '{{.Id}}', `${repository}:1`)
    expect(id).toMatch(/^sha256:[0-9a-f]{64}\n$/)
    expect(await field('images', '--no-trunc', '--format', '{{.ID}}', `${repository}:1`)).toBe(id)
    expect(await field('images', '--format', '{{.ID}}', `${repository}:1`)).toBe(`${id.slice(7, 19)}\n`)
    expect(await field('inspect', '-f', '{{json .Config.Cmd}} {{index .RepoTags 0}}', `${repository}:1`)).toBe(
      `["/app"] ${repository}:1\n`,
    )
    expect(await run(['inspect', '-f', '{{.Nope}}', ...root, `${repository}:1`])).toMatchObject({ code: 2 })
    expect(await field('du', '--filter', 'type=regular', '--format', '{{.Type}}')).toMatch(/^(regular\n)+$/)
    expect(await run(['history', ...root, `${repository}:1`])).toMatchObject({ code: 0 })

    const archive = join(dir, 'saved.tar')
    expect(await run(['save', ...root, '-o', archive, `${repository}:1`, `${repository}:2`])).toMatchObject({
      code: 0,
      stdout: '',
    })
    const other = ['--root', join(dir, 'loaded')]
    expect((await run(['load', '-q', ...other, '-i', archive])).stdout).toBe(
      `Loaded image: ${repository}:1\nLoaded image: ${repository}:2\n`,
    )
    expect((await run(['inspect', '-f', '{{.Id}}', ...other, `${repository}:2`])).stdout).toBe(id)
    expect(await run(['save', ...root, '-o', join(dir, 'none.tar'), 'nope'])).toMatchObject({ code: 1 })
    await expect(stat(join(dir, 'none.tar'))).rejects.toMatchObject({ code: 'ENOENT' })

    const target = `${registry.host}/team/all`
    expect(await run(['tag', ...root, `${repository}:1`, `${target}:a`, `${target}:b`])).toMatchObject({ code: 0 })
    expect((await run(['push', '-q', '-a', ...root, target])).stdout).toBe(`${digests.amd64}\n`.repeat(2))
    expect((await run(['tags', target])).stdout).toBe('a\nb\n')
    expect(await run(['push', '-a', ...root, `${registry.host}/none`])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('the store has no image of'),
    })
  })

  it('copy goes between registry, layout, archives and store', async () => {
    const steps = [
      [`${app()}:1`, `oci:${dir}/layout:one`],
      [`oci:${dir}/layout:one`, `oci-archive:${dir}/archive.tar:one`],
      [`oci-archive:${dir}/archive.tar:one`, 'store:copied'],
      ['store:copied', `${app()}:copied`],
    ] as const
    for (const [from, to] of steps) {
      expect(await run(['copy', '-q', from, to]), `${from} → ${to}`).toEqual({
        code: 0,
        stdout: `${digests.index}\n`,
        stderr: '',
      })
    }
    expect((await run(['digest', `${app()}:copied`])).stdout).toBe(`${digests.index}\n`)
    const one = await run([
      'copy',
      '--progress=plain',
      '--platform=linux/amd64',
      `${app()}:1`,
      `${app()}@${digests.amd64}`,
    ])
    expect(one).toMatchObject({
      code: 0,
      stdout: `${digests.amd64}\n`,
      stderr: expect.stringMatching(/^#1 copy .*\n#1 DONE/s),
    })
    expect(await run(['copy', '-q', `${app()}:1`, `${app()}@${digests.amd64}`])).toMatchObject({ code: 1, stdout: '' })
    expect(await run(['push', '-q', 'not-there'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('not in the local store'),
    })
  })

  it('pull by digest keeps the digest, and push never gives a name with a digest to other content', async () => {
    const name = `${app()}:1@${digests.index}`
    await run(['rmi', 'copied'])
    await run(['prune'])
    const pulled = await run(['pull', '-q', '--platform', 'linux/arm64', name])
    expect(pulled).toEqual({ code: 0, stdout: `${digests.index}\n`, stderr: '' })
    const [row] = JSON.parse((await run(['images', '--format', 'json', name])).stdout) as object[]
    expect(row).toMatchObject({ name, digest: digests.index, platforms: ['linux/arm64'] })
    expect((await run(['inspect', name])).stdout).toMatch(/^Platform +linux\/arm64$/m)
    registry.reset()
    expect(await run(['push', '-q', name])).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('--all-platforms'),
    })
    for (const other of [`${app()}:1@${digests.amd64}`, `${app()}@${digests.amd64}`])
      expect(await run(['tag', digests.index, other])).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('digest'),
      })
    expect(await run(['copy', '-q', `${app()}:1`, `${app()}:2@${digests.amd64}`])).toMatchObject({
      code: 1,
      stdout: '',
    })
    expect(await run(['copy', '-q', `${app()}:1`, `store:x@${digests.amd64}`])).toMatchObject({ code: 1, stdout: '' })
    expect(await run(['copy', '-q', `${app()}:1`, `oci:${dir}/other@${digests.amd64}`])).toMatchObject({ code: 1 })
    expect(registry.requests.filter(({ method }) => !['GET', 'HEAD'].includes(method))).toEqual([])
    expect(registry.store.repository('team/app').tags.get('1')).toBe(digests.index)
    expect(registry.store.repository('team/app').tags.get('2')).toBe(digests.index)
    expect(await run(['pull', '-q', '--all-platforms', name])).toMatchObject({ code: 0 })
    expect(await run(['push', '-q', name])).toMatchObject({ code: 0, stdout: `${digests.index}\n` })
    expect(await run(['rmi', name])).toMatchObject({ code: 0 })
  })

  it('copy reads from a layout by digest, and says which images it has', async () => {
    const { code, stdout } = await run(['copy', '-q', `oci:${dir}/layout@${digests.arm64}`, 'store:arm'])
    expect({ code, stdout }).toEqual({ code: 0, stdout: `${digests.arm64}\n` })
    await run(['copy', '-q', `oci:${dir}/layout@${digests.arm64}`, `oci:${dir}/layout:two`])
    expect(await run(['copy', '-q', `oci:${dir}/layout`, 'store:which'])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/several images: say which one\n.*one, two/),
    })
    await run(['rmi', 'arm'])
  })

  it('signatures go through the store and stay as long as their image', async () => {
    const { store } = registry
    const config = store.addBlob('team/app', Buffer.from('{}'), mediaTypes.ociConfig)
    const layer = store.addBlob('team/app', Buffer.from('signed'), 'application/vnd.dev.cosign.simplesigning.v1+json')
    const document = { schemaVersion: 2 as const, mediaType: mediaTypes.ociManifest, config, layers: [layer] }
    const tag = `${digests.index.replace(':', '-')}.sig`
    const signature = store.addManifest('team/app', document, tag)
    const subject = { mediaType: mediaTypes.ociManifest, digest: digests.amd64 as typeof signature.digest, size: 1 }
    const referrer = store.addManifest('team/app', { ...document, subject })
    const copied = await run(['copy', '-q', '--referrers', `${app()}:1`, 'store:signed'])
    expect(copied).toMatchObject({ code: 0, stdout: `${digests.index}\n` })
    expect((await run(['images', '--format', 'json', '-q', 'signed'])).stdout.trim()).toBe(digests.index)
    await run(['prune'])
    expect(await run(['copy', '-q', '--referrers', 'store:signed', `${registry.host}/other:1`])).toMatchObject({
      code: 0,
    })
    const other = store.repository('other')
    expect(other.tags.get(tag)).toBe(signature.digest)
    expect(other.manifests.has(referrer.digest)).toBe(true)
    expect(store.referrers('other', digests.amd64).map(({ digest }) => digest)).toEqual([referrer.digest])
    await run(['rmi', 'signed'])
    await run(['prune'])
    const blob = (digest: string) => stat(join(dir, 'root/blobs', digest.replace(':', '/')))
    for (const { digest } of [signature, referrer]) await expect(blob(digest)).rejects.toMatchObject({ code: 'ENOENT' })
    expect(await readFile(join(dir, 'root/index.json'), 'utf8')).not.toContain('dev.tsbuild.subject')
  })

  it('a platform that a single image is not of is an error', async () => {
    registry.store.addImage('team/app', 'single', [])
    for (const command of [['pull'], ['digest'], ['inspect', '--remote']]) {
      expect(await run([...command, '--platform', 'linux/s390x', `${app()}:single`])).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/no linux\/s390x \(it has linux\/amd64\)/),
      })
    }
    const target = `oci:${dir}/single`
    expect(await run(['copy', '--platform=linux/s390x', `${app()}:single`, target])).toMatchObject({ code: 1 })
  })

  it('--ca-file and --insecure-registry are checked before anything is done', async () => {
    expect(await run(['tags', '--ca-file', '/nowhere.pem', app()])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('there is no such file'),
    })
    expect(await run(['tags', '--insecure-registry', 'a/b', app()])).toMatchObject({ code: 2 })
    const options = ['--insecure-registry', `http://${registry.host}/`]
    expect(await run(['digest', ...options, `${app()}:1`])).toMatchObject({ code: 0 })
  })

  it('say what is wrong in a line', async () => {
    expect(await run(['pull', '--platform', 'linux/s390x', `${app()}:1`])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/no linux\/s390x/),
    })
    expect(await run(['pull', 'UPPER'])).toMatchObject({ code: 2, stderr: expect.stringMatching(/must be lowercase/) })
    expect(await run(['copy', 'a', 'b', '--all', '--platform', 'x'])).toMatchObject({ code: 2 })
  })

  it('logout forgets the credentials', async () => {
    expect(await run(['logout', registry.host])).toMatchObject({ code: 0, stderr: `logged out of ${registry.host}\n` })
    expect((await config()).auths).toEqual({})
    expect(await run(['logout', registry.host])).toMatchObject({
      code: 0,
      stderr: `not logged in to ${registry.host}\n`,
    })
    expect(await run(['tags', app()])).toMatchObject({ code: 1 })
  })
})
