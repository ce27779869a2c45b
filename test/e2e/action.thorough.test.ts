/** The action, run as the runner of a workflow runs it: the bundle alone, real builds, a real registry. */
import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RegistryClient } from '@tsbuild/registry-client'
import { TestRegistry } from '@tsbuild/registry-client/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readInputs } from '../../packages/action/src/inputs.ts'
import { Runner } from '../../packages/action/src/runner.ts'
import { type ActionFile, Job, ROOT, readAction } from '../../packages/action/src/step.test-support.ts'
import { isSuitable } from '../../packages/action/src/suitable-node.ts'
import { bundleAction } from '../../packages/action/src/tools/bundle.ts'
import { actionsToken, startActions } from '../../packages/builder/src/cache/services/actions-server.test-support.ts'
import { git, startGitServer } from '../support/git-server.ts'
import { gate, which } from '../support/tools.ts'

const runs = gate('root', 'busybox')

let bundled: string
let action: ActionFile
let merge: ActionFile
let registry: TestRegistry

beforeAll(async () => {
  bundled = await mkdtemp(join(tmpdir(), 'tsbuild-action-bundle-'))
  await bundleAction(bundled)
  action = await readAction('action.yml')
  merge = await readAction('merge/action.yml')
  registry = await TestRegistry.start()
})

afterAll(async () => {
  await registry[Symbol.asyncDispose]()
  await rm(bundled, { recursive: true })
})

const start = (files?: Record<string, string>) => Job.start(action, join(bundled, 'index.cjs'), files)
const DOCKERFILE = 'FROM scratch AS base\nCOPY file /file\nLABEL a=b\n'
const DIGEST = /^sha256:[0-9a-f]{64}$/

describe('the bundle', () => {
  it('is what action.yml names, and what it needs; and small', async () => {
    for (const [{ runs }, from] of [
      [action, ROOT],
      [merge, join(ROOT, 'merge')],
    ] as const) {
      expect(runs.using).toBe('node24')
      for (const entry of [runs.main, runs.post ?? runs.main]) {
        expect(join(from, entry)).toMatch(/packages\/action\/dist\/(index|merge)\.cjs$/)
        expect(await readdir(bundled)).toContain(entry.split('/').at(-1))
      }
    }
    const files = await readdir(bundled, { recursive: true, withFileTypes: true })
    const sizes = await Promise.all(
      files.filter((file) => file.isFile()).map(async (file) => (await stat(join(file.parentPath, file.name))).size),
    )
    // Half of it compiled code: for each architecture that is installed, and for both C libraries.
    const architectures = (await readdir(join(bundled, 'node_modules/@koromix'))).length
    expect(architectures).toBeGreaterThan(0)
    expect(sizes.reduce((sum, size) => sum + size)).toBeLessThan((3.5 + architectures * 3) * 1024 ** 2)
  })

  it.skipIf(runs.skip)(`needs nothing of the checkout for a RUN${runs.note}`, async () => {
    await using job = await start({ Dockerfile: 'FROM scratch\nCOPY busybox /\nRUN ["/busybox", "touch", "/made"]\n' })
    await cp(which('busybox')!, job.path('busybox'))
    const { code, log } = await job.run({ context: '.', outputs: 'type=local,dest=out' })
    expect(code, log).toBe(0)
    expect(await readdir(job.path('out'))).toContain('made')
  })
})

describe('a build', () => {
  it('pushes, and tells of it in outputs, in the log and in the summary', async () => {
    await using job = await start({ Dockerfile: DOCKERFILE, file: '1' })
    const tags = `${registry.host}/app:1\n${registry.host}/app:2`
    const inputs = { context: '.', push: 'true', tags, labels: 'x=y, z', 'build-args': 'A=1' }
    const first = await job.run(inputs)
    expect(first.code, first.log).toBe(0)
    expect(Object.keys(first.outputs).sort()).toEqual(Object.keys(action.outputs).sort())
    expect(first.outputs.digest).toMatch(DIGEST)
    expect(first.outputs.imageid).toMatch(DIGEST)
    expect(first.outputs.changed).toBe('true')
    expect(JSON.parse(first.outputs.metadata!)).toMatchObject({ 'containerimage.digest': first.outputs.digest })
    expect(first.state).toEqual({ built: 'true' })
    expect(first.summary).toContain(first.outputs.digest!.slice(7))
    expect(first.summary).toContain('1 step ran')
    expect(first.summary).toContain('no earlier build of it is remembered')

    await using client = new RegistryClient({ env: {} })
    for (const tag of ['1', '2']) {
      const { digest } = await client.repository(`${registry.host}/app`).resolve(tag)
      expect(digest).toBe(first.outputs.digest)
    }

    const second = await job.run(inputs)
    expect(second.outputs).toMatchObject({ digest: first.outputs.digest, changed: 'false' })
    await writeFile(job.path('file'), '2')
    const third = await job.run(inputs)
    expect(third.outputs.changed).toBe('true')
    expect(third.summary).toMatch(/file changed/)

    const post = await job.run(inputs, { STATE_built: 'true' })
    expect(post).toMatchObject({ code: 0, outputs: {} })
  })

  it('says warnings at their lines, and why it failed at its line', async () => {
    await using job = await start({ file: '1' })
    await mkdir(job.path('docker'))
    await writeFile(job.path('docker/app.Dockerfile'), 'from scratch AS Base\nCOPY file /file\n')
    const warned = await job.run({ context: '.', file: 'docker/app.Dockerfile' })
    expect(warned.code, warned.log).toBe(0)
    const stage = warned.commands.find((command) => command.includes('title=StageNameCasing'))
    expect(stage).toMatch(
      /^warning title=StageNameCasing,file=docker\/app\.Dockerfile,line=1,endLine=1::Stage name 'Base'/,
    )

    await writeFile(job.path('docker/app.Dockerfile'), 'FROM scratch\nCOPY file /file\nCOPY gone /gone\n')
    const failed = await job.run({ context: '.', file: 'docker/app.Dockerfile' })
    expect(failed.code).toBe(1)
    expect(failed.outputs).toEqual({})
    const [problem] = failed.commands.filter((command) => command.startsWith('error'))
    expect(problem).toMatch(/^error title=[A-Z_]+,file=docker\/app\.Dockerfile,line=3,endLine=3::.*gone/)
    expect(failed.summary).toMatch(/^### tsbuild failed\n/)
  })

  it('takes nothing that others wrote for a command', async () => {
    const evil = 'FROM scratch\nCOPY file /file\nCOPY "x\\n::add-path::/evil" "##[add-matcher]x" /y/\n'
    await using job = await start({ Dockerfile: evil, file: '1' })
    const { code, commands, log } = await job.run({ context: '.' })
    expect(code).toBe(1)
    expect(log).toContain('##[add-matcher]')
    expect(commands.filter((command) => !/^(add-mask|notice|warning|error)\b/.test(command))).toEqual([])
  })

  it('masks secrets, line by line, and offers them', async () => {
    await using job = await start({ Dockerfile: DOCKERFILE, file: '1', key: 'in a file' })
    const secrets = 'token=s3cr3t,with,commas\n"KEY=first line\nsecond ""line"""\n'
    const { code, commands, log } = await job.run(
      { context: '.', secrets, 'secret-envs': 'other=VARIABLE', 'secret-files': 'key=key' },
      { VARIABLE: 'of the step' },
    )
    expect(code, log).toBe(0)
    const masked = commands.flatMap((command) => /^add-mask::(.*)/.exec(command)?.[1] ?? [])
    expect(masked).toEqual(
      expect.arrayContaining(['s3cr3t,with,commas', 'first line', 'second "line"', 'of the step', 'the-job-token']),
    )
    const wrong = await job.run({ context: '.', secrets: 'only-the-value' })
    expect(wrong.code).toBe(1)
    expect(wrong.log).not.toContain('only-the-value')
  })

  it('finds the cache of the workflow by itself', async () => {
    const { server } = await startActions()
    await using _ = server
    const env = {
      ACTIONS_RESULTS_URL: `${server.origin}/`,
      ACTIONS_RUNTIME_TOKEN: actionsToken({ 'refs/heads/main': 3 }),
      ACTIONS_CACHE_SERVICE_V2: 'true',
    }
    const inputs = { context: '.', 'cache-from': 'type=gha', 'cache-to': 'type=gha,mode=max' }
    await using one = await start({ Dockerfile: DOCKERFILE, file: '1' })
    const first = await one.run(inputs, env)
    expect(first.code, first.log).toBe(0)
    await using two = await start({ Dockerfile: DOCKERFILE, file: '1' })
    const second = await two.run(inputs, env)
    expect(second.outputs).toMatchObject({ changed: 'false', digest: first.outputs.digest })
    expect(second.summary).toMatch(/used \d of \d results/)
  })

  it("builds the workflow's commit when no context is named, with its token", async () => {
    await using job = await start()
    const repository = job.path('owner/repo.git')
    await mkdir(repository, { recursive: true })
    await writeFile(join(repository, 'Dockerfile'), 'from scratch\nCOPY Dockerfile /\n')
    git(repository, 'init', '-q', '-b', 'main')
    git(repository, 'add', '.')
    git(repository, 'commit', '-qm', 'one')
    git(repository, 'config', 'uploadpack.allowAnySHA1InWant', 'true')
    const credentials = Buffer.from('x-access-token:the-job-token').toString('base64')
    await using server = await startGitServer(job.directory, `basic ${credentials}`)
    const env = {
      GITHUB_SERVER_URL: `http://${server.host}`,
      GITHUB_REPOSITORY: 'owner/repo',
      GITHUB_SHA: git(repository, 'rev-parse', 'HEAD').trim(),
      GITHUB_REF: 'refs/heads/main',
    }
    const { code, log, outputs, commands } = await job.run({}, env)
    expect(code, log).toBe(0)
    expect(outputs.digest).toMatch(DIGEST)
    expect(commands.join('\n')).toMatch(/warning title=\w+,file=Dockerfile,line=1/)
  })

  it('knows which repository the token is for', () => {
    const sha = 'a'.repeat(40)
    const env = {
      GITHUB_REPOSITORY: 'owner/repo',
      GITHUB_SHA: sha,
      GITHUB_REF: 'refs/heads/main',
      'INPUT_GITHUB-TOKEN': 'the-job-token',
    }
    const options = (more: Record<string, string>) =>
      readInputs(new Runner({ ...env, ...more }, () => {}), '/').build.options
    expect(options({})).toMatchObject({
      context: `https://github.com/owner/repo.git#${sha}`,
      secrets: [{ id: 'GIT_AUTH_TOKEN.github.com', value: 'the-job-token' }],
    })
    expect(options({ GITHUB_REF: 'refs/pull/7/merge' }).context).toBe(
      'https://github.com/owner/repo.git#refs/pull/7/merge',
    )
    expect(options({ INPUT_CONTEXT: '{{defaultContext}}:sub' }).context).toBe(
      `https://github.com/owner/repo.git#${sha}:sub`,
    )
    for (const context of ['https://example.com/a.git', '.'])
      expect(options({ INPUT_CONTEXT: context }).secrets).toEqual([])
    expect(options({ INPUT_SECRETS: 'GIT_AUTH_TOKEN=mine' }).secrets).toEqual([{ id: 'GIT_AUTH_TOKEN', value: 'mine' }])
  })

  it('checks in place of building', async () => {
    await using job = await start({ Dockerfile: 'FROM scratch AS Base\n' })
    const found = await job.run({ context: '.', call: 'check' })
    expect(found.code).toBe(1)
    expect(found.commands.join('\n')).toContain('warning title=StageNameCasing,file=Dockerfile,line=1')
    const targets = await job.run({ context: '.', call: 'targets' })
    expect(targets).toMatchObject({ code: 0, log: expect.stringContaining('base') })
  })
})

describe('merge', () => {
  it('joins what native jobs have pushed, by digest and by file', async () => {
    await using job = await start({ Dockerfile: DOCKERFILE, file: '1' })
    const digests: string[] = []
    for (const platforms of ['linux/amd64', 'linux/arm64']) {
      const outputs = `type=image,name=${registry.host}/native,push-by-digest=true,push=true`
      const built = await job.run({ context: '.', platforms, outputs })
      expect(built.code, built.log).toBe(0)
      digests.push(built.outputs.digest!)
    }
    await using merger = await Job.start(merge, join(bundled, 'merge.cjs'))
    await mkdir(merger.path('digests'))
    await writeFile(merger.path('digests', digests[0]!.slice('sha256:'.length)), '')
    const { code, log, outputs, summary } = await merger.run({
      tags: `${registry.host}/native:1\n${registry.host}/elsewhere:1`,
      images: digests[1]!,
      'digests-path': 'digests',
      annotations: 'index:org.opencontainers.image.title=both',
    })
    expect(code, log).toBe(0)
    expect(outputs.digest).toMatch(DIGEST)
    expect(summary).toContain('linux/arm64')
    await using client = new RegistryClient({ env: {} })
    for (const name of ['native', 'elsewhere']) {
      const { bytes } = await client.repository(`${registry.host}/${name}`).fetchManifest('1')
      const { manifests, annotations } = JSON.parse(bytes.toString()) as {
        manifests: { digest: string; platform: object }[]
        annotations: object
      }
      expect(manifests.map(({ digest }) => digest)).toEqual([digests[1], digests[0]])
      expect(manifests.map(({ platform }) => platform)).toEqual([
        { os: 'linux', architecture: 'arm64' },
        { os: 'linux', architecture: 'amd64' },
      ])
      expect(annotations).toEqual({ 'org.opencontainers.image.title': 'both' })
    }
    const nothing = await merger.run({ tags: `${registry.host}/native:2` })
    expect(nothing).toMatchObject({ code: 1, commands: [expect.stringContaining('there is nothing to merge')] })
    expect(Object.keys(merge.inputs)).toEqual(['tags', 'images', 'digests-path', 'annotations'])
  })
})

describe('an old Node', () => {
  it('is left for one of the path, or refused in a sentence', async () => {
    const versions = ['24.14.9', '24.15.0', '25.9.0', '26.0.0', '22.20.0']
    expect(versions.map(isSuitable)).toEqual([false, true, false, true, false])
    const directory = await mkdtemp(join(tmpdir(), 'tsbuild-action-node-'))
    try {
      // The same bundle, told that it is run by an older one.
      await cp(bundled, directory, { recursive: true })
      const text = await readFile(join(bundled, 'index.cjs'), 'utf8')
      const old = text.replace('process.versions.node,process.env', "process.env.OWN??'24.1.0',process.env")
      expect(old).not.toBe(text)
      await writeFile(join(directory, 'index.cjs'), old)
      await using job = await Job.start(action, join(directory, 'index.cjs'), { Dockerfile: DOCKERFILE, file: '1' })
      const refused = await job.run({ context: '.' }, { PATH: '/nowhere' })
      expect(refused).toMatchObject({
        code: 1,
        commands: [expect.stringMatching(/NODE_TOO_OLD.*the runner's is 24\.1\.0/)],
      })
    } finally {
      await rm(directory, { recursive: true })
    }
  })
})
