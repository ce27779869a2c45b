/** `tsbuild kaniko`: kaniko's flags, with registries on loopback. */
import { readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { TestRegistry } from '@tsbuild/registry-client/testing'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { ShellLine } from '../../packages/cli/src/migrate/shell-words.ts'
import { git as runGit, startGitServer } from '../support/git-server.ts'
import { must, run } from '../support/process.ts'
import { gate, repository } from '../support/tools.ts'
import { openWorkspace, type Workspace } from '../support/workspace.ts'

const FILES = { Dockerfile: 'FROM scratch\nARG A\nLABEL a=$A\nCOPY f /f\nCOPY g /g\n', f: 'one', g: 'two' }

const tls = gate('openssl')
const git = gate('git')
const running = gate('root', 'docker-registry', 'busybox')

const prefixed = (directory: string, files: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(files).map(([name, text]) => [`${directory}/${name}`, text]))

describe('tsbuild kaniko', () => {
  let place: Workspace
  let context: string
  let registry: TestRegistry
  const kaniko = (args: readonly string[], options: Parameters<Workspace['run']>[1] = {}) =>
    place.run(['kaniko', ...args], options)
  const read = (name: string): string => readFileSync(place.join(name), 'utf8')
  const manifest = async (name: string) => {
    const [, path, tag] = /^[^/]+\/(.*):([^:]+)$/.exec(name)!
    const answer = await fetch(`http://${registry.host}/v2/${path}/manifests/${tag}`, {
      headers: {
        accept: 'application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json',
      },
    })
    return {
      digest: answer.headers.get('docker-content-digest'),
      body: (await answer.json()) as { mediaType: string; annotations?: object },
    }
  }

  beforeAll(async () => {
    place = await openWorkspace()
    context = await place.files(FILES)
    registry = await TestRegistry.start({})
  })
  afterAll(async () => {
    await registry[Symbol.asyncDispose]()
    await place[Symbol.asyncDispose]()
  })

  it('pushes to all destinations and writes what it was asked for', async () => {
    const names = [`${registry.host}/app:1`, `${registry.host}/team/app`]
    const { code, stderr, stdout } = await kaniko([
      ...['--context', `dir://${context}`, '--build-arg', 'A=b', '--annotation', 'k=v', '--label=x=y'],
      ...names.flatMap((name) => ['--destination', name]),
      ...['--digest-file', 'new/digest', '--image-name-with-digest-file', 'names'],
      ...['--tar-path', 'app.tar', '--oci-layout-path', 'layout', '--log-format', 'text'],
    ])
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' })
    const digest = read('new/digest')
    expect(digest).toMatch(/^sha256:[0-9a-f]{64}$/)
    expect(read('names')).toBe(`${registry.host}/app@${digest}\n${registry.host}/team/app@${digest}\n`)
    for (const name of [names[0]!, `${names[1]}:latest`]) {
      const { digest: found, body } = await manifest(name)
      expect(found).toBe(digest)
      expect(body.annotations).toEqual({ k: 'v' })
    }
    const index = JSON.parse(read('layout/index.json'))
    expect(index.manifests).toEqual([
      { mediaType: 'application/vnd.oci.image.manifest.v1+json', size: expect.any(Number), digest },
    ])
    expect(JSON.parse(await must('tar', ['-xOf', place.join('app.tar'), 'manifest.json']))[0].RepoTags).toEqual([
      names[0],
      `${names[1]}:latest`,
    ])
    expect(stderr).toMatch(/^time="[^"]+Z" level=info msg="\[1\/2\] COPY f \/f"$/m)
    expect(stderr).toContain(`msg="Pushed ${registry.host}/app:1@${digest}"`)
  })

  it('writes names with tags, also into the file for those without when both are asked for', async () => {
    const files = ['--image-name-tag-with-digest-file', 'tagged', '--image-name-with-digest-file', 'both']
    const { code } = await kaniko(['-c', context, '-d', 'app', '-d', `${registry.host}/app:2`, '--no-push', ...files])
    expect(code).toBe(0)
    const lines = [/^index\.docker\.io\/library\/app:latest@sha256:[0-9a-f]{64}$/, /\/app:2@sha256:[0-9a-f]{64}$/]
    const written = read('tagged').split('\n')
    expect(written).toEqual([...lines.map((line) => expect.stringMatching(line)), ''])
    expect(read('both')).toBe(read('tagged'))
    expect(await manifest(`${registry.host}/app:2`)).toMatchObject({ digest: null })
  })

  it('writes into files that cannot be replaced, and names only the new image in a layout', async () => {
    await mkdir(place.join('out'))
    await writeFile(place.join('out/old'), 'longer than a digest '.repeat(10))
    const inode = (await must('stat', ['-c', '%i', place.join('out/old')])).trim()
    const args = ['-c', context, '--no-push', '--digest-file', 'out/old', '--oci-layout-path', 'layout']
    expect((await kaniko([...args, '--label', 'n=1'])).code).toBe(0)
    expect((await must('stat', ['-c', '%i', place.join('out/old')])).trim()).toBe(inode)
    expect(JSON.parse(read('layout/index.json')).manifests).toEqual([
      expect.objectContaining({ digest: read('out/old') }),
    ])
  })

  it('reads a compressed archive on stdin or in a file', async () => {
    const archive = await run('tar', ['-C', context, '-cz', '.'])
    await writeFile(place.join('context.tar.gz'), archive.bytes)
    const args = ['--reproducible', '--no-push', '--log-format=json', '--digest-file']
    const { code, stderr } = await kaniko([...args, 'd1', '--context', 'tar://stdin'], { stdin: archive.bytes })
    expect(code).toBe(0)
    for (const line of stderr.trim().split('\n'))
      expect(Object.keys(JSON.parse(line))).toEqual(['level', 'msg', 'time'])
    expect((await kaniko([...args, 'd2', '--context', 'tar://context.tar.gz'])).code).toBe(0)
    expect((await kaniko([...args, 'd3', '--context', 'context'])).code).toBe(0)
    expect(read('d2')).toBe(read('d1'))
    expect((await kaniko([...args, 'd4', '--context', 'tar://none'])).stderr).toContain('tar://none: no such file')
  })

  it.skipIf(git.skip)(`fetches a git repository with the token of the environment${git.note}`, async () => {
    const repositories = await place.files({ ...prefixed('app.git/sub', FILES) }, 'repositories')
    const path = join(repositories, 'app.git')
    runGit(path, 'init', '-q', '-b', 'main')
    runGit(path, 'add', '-A')
    runGit(path, 'commit', '-q', '-m', 'one')
    const token = Buffer.from('not-a-secret:').toString('base64')
    await using server = await startGitServer(repositories, `Basic ${token}`)
    const env = { GIT_PULL_METHOD: 'http', GIT_TOKEN: 'not-a-secret' }
    const args = ['-c', `git://${server.host}/app#refs/heads/main`, '--context-sub-path', 'sub', '--no-push']
    expect(await kaniko(args, { env })).toMatchObject({ code: 0 })
    expect((await kaniko(args, { env: { GIT_PULL_METHOD: 'http' } })).code).toBe(1)
    expect((await kaniko([...args, '--git', 'branch=none'], { env })).code).toBe(1)
  })

  it('takes from the shared cache what another machine has put there', async () => {
    const args = ['-c', context, '--no-push', '--cache=true', '--cache-repo', `${registry.host}/cache`, '--digest-file']
    const on = (machine: string, more: readonly string[]) =>
      kaniko([...args, machine, ...more], { env: { TSBUILD_ROOT: place.join(`root-${machine}`) } })
    expect((await on('m1', [])).stderr).not.toContain('Using caching version')
    expect((await on('m2', [])).stderr).toContain('Using caching version of cmd: [1/2] COPY f /f')
    expect(read('m2')).toBe(read('m1'))
    // Without --cache all steps run, whatever the store has.
    const without = await kaniko(['-c', context, '--no-push'], { env: { TSBUILD_ROOT: place.join('root-m1') } })
    expect(without.stderr).not.toContain('Using caching version')
  })

  it('reads base images from mirrors alone when it is told to', async () => {
    const base = `${registry.host}/mirrored/base:1`
    expect((await kaniko(['-c', context, '-d', base])).code).toBe(0)
    const dir = await place.files({ Dockerfile: 'FROM nowhere.invalid/base:1\nLABEL a=b\n' }, 'derived')
    const mirror = [`--registry-map=nowhere.invalid=127.0.0.1:1;nowhere.invalid=${registry.host}/mirrored`]
    const only = '--skip-default-registry-fallback'
    expect(await kaniko(['-c', dir, '--no-push', ...mirror, only])).toMatchObject({ code: 0 })
    const { code, stderr } = await kaniko([
      '-c',
      dir,
      '--no-push',
      `--registry-map=nowhere.invalid=${registry.host}/other`,
      only,
    ])
    expect(code).toBe(1)
    // Who asked the registry itself would say that there is no such host.
    expect(stderr).toContain('nowhere.invalid/base:1: not found')
  })

  it.skipIf(tls.skip)(`trusts nobody's certificates only where it is told to${tls.note}`, async () => {
    const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
    const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1']
    await must('openssl', [...request, ...subject, '-keyout', place.join('key.pem'), '-out', place.join('cert.pem')])
    await using secure = await TestRegistry.start({ tls: { cert: read('cert.pem'), key: read('key.pem') } })
    const base = `${secure.host}/base:1`
    expect((await kaniko(['-c', context, '-d', base])).code).toBe(1)
    expect((await kaniko(['-c', context, '-d', base, '--skip-tls-verify'])).code).toBe(0)
    const dir = await place.files({ Dockerfile: `FROM ${base}\nLABEL a=b\n` }, 'of-secure')
    const pull = ['-c', dir, '--no-push']
    expect((await kaniko([...pull, '--insecure'])).code).toBe(1)
    for (const flag of ['--skip-tls-verify-pull', `--registry-certificate=${secure.host}=${place.join('cert.pem')}`])
      expect(await kaniko([...pull, flag])).toMatchObject({ code: 0 })
    // Told for pulls, it does not hold for pushes.
    const push = ['-c', dir, '-d', `${secure.host}/other:1`, '--skip-tls-verify-pull']
    expect((await kaniko(push)).code).toBe(1)
    expect((await kaniko([...push, '--skip-tls-verify-registry', secure.host])).code).toBe(0)
  })

  it('fails with 1 for a wrong command line and for a failed build', async () => {
    for (const [args, message] of [
      [['--foo'], 'ERROR: unknown flag: --foo'],
      [['-c', context], 'ERROR: you must provide --destination, or use --no-push'],
      [['-c', context, '--no-push', '--single-snapshot'], '--single-snapshot is not supported\nhint: '],
      [['-c', context, '--no-push', '--target', 'none'], 'ERROR: error building image: '],
    ] as const) {
      const { code, stderr } = await kaniko(args)
      expect(code).toBe(1)
      expect(stderr).toContain(message)
    }
  })

  it.skipIf(running.skip)(`passes on what a RUN prints, and its exit code${running.note}`, async () => {
    const dockerfile = `FROM ${inject('registry')}/busybox\nRUN echo out && echo err >&2 && exit 7\n`
    const dir = await place.files({ Dockerfile: dockerfile }, 'failing')
    const { code, stdout, stderr } = await kaniko(['-c', dir, '--no-push', '--log-format', 'text'])
    expect({ code, stdout }).toEqual({ code: 7, stdout: 'out\n' })
    expect(stderr).toMatch(/^err$/m)
    expect(stderr).toContain('ERROR: error building image: ')
  })

  it('prints the command of tsbuild itself, which builds the same', async () => {
    const line = `executor -c ${context} --no-push --oci-layout-path=migrated --reproducible --label 'a=b c'`
    const { stdout } = await place.must(['migrate', 'kaniko', line])
    await place.must([...new ShellLine(stdout).words.slice(1)])
    const { manifests } = JSON.parse(read('migrated/index.json'))
    expect(
      (await kaniko(['-c', context, '--no-push', '--reproducible', '--label', 'a=b c', '--digest-file', 'same'])).code,
    ).toBe(0)
    expect(manifests[0].digest).toBe(read('same'))
  })

  it('is a program of its own, which says at debug what has no effect', async () => {
    const program = join(repository, 'packages/cli/bin/kaniko.js')
    const args = ['-c', context, '--no-push', '--force', '--snapshot-mode=redo', '-v', 'debug']
    const env = { PATH: process.env.PATH, HOME: place.home, TSBUILD_ROOT: place.root }
    const { code, stderr } = await run(process.execPath, [program, ...args], { cwd: place.path, env })
    expect(code).toBe(0)
    expect(stderr).toContain('--force has no effect: it is safe to build outside of a container')
    expect(stderr).toContain('--snapshot-mode has no effect: ')
  })
})
