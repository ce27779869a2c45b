/** What is published: packed by npm and by pnpm, and used in a project that has nothing else. */
import { mkdtempSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import {
  commandOf,
  copyCheckout,
  type Manifest,
  manifestIn,
  PACKAGES,
  type PackageManager,
  packAll,
  packagerEnv,
  registryLack,
  withNode,
} from '../support/packages.ts'
import { must, run } from '../support/process.ts'
import { removeTree, writeTree } from '../support/temp.ts'
import { gate, repository } from '../support/tools.ts'

const needs = gate('npm')
const runs = gate('docker-registry', 'busybox')
const place = mkdtempSync(join(tmpdir(), 'tsbuild-test-packages-'))
afterAll(() => removeTree(place))
const env = await packagerEnv(join(place, 'home'))
const lack = needs.skip ? undefined : await registryLack(env)
const offline = lack === undefined ? '' : ` (skipped: ${lack})`

const sources = (name: string): string => join(repository, 'packages', name)

describe('manifests', () => {
  it('have one version, by which the packages name each other', async () => {
    const manifests = await Promise.all(PACKAGES.map((name) => manifestIn(sources(name))))
    expect(new Set(manifests.map(({ version }) => version)).size).toBe(1)
    for (const { version, dependencies, devDependencies } of manifests) {
      const own = Object.entries({ ...devDependencies, ...dependencies }).filter(([name]) =>
        name.startsWith('@tsbuild/'),
      )
      expect(own.map(([, range]) => range)).toEqual(own.map(() => version))
    }
  })

  it('come with the licence', async () => {
    const licence = await readFile(join(repository, 'LICENSE'), 'utf8')
    for (const name of PACKAGES) expect(await readFile(join(sources(name), 'LICENSE'), 'utf8')).toBe(licence)
  })

  it('are checked against the Node that is installed, so that an older one that starts pnpm is no news', async () => {
    const { devDependencies } = await manifestIn(repository)
    expect(await readFile(join(repository, 'pnpm-workspace.yaml'), 'utf8')).toContain(
      `\nnodeVersion: ${devDependencies!.node}\n`,
    )
  })

  it('are the checkout’s again after a pack, also after one that was interrupted', async () => {
    const directory = await writeTree(join(place, 'manifest'), {
      'package.json': '{"exports":"./src","publishConfig":{"access":"public","exports":"./dist"}}',
    })
    const change = (action: string) =>
      must(process.execPath, [join(repository, 'tools/published-manifest.ts'), action], { cwd: directory })
    const own = await readFile(join(directory, 'package.json'), 'utf8')
    for (const action of ['write', 'write']) {
      await change(action)
      expect(await manifestIn(directory)).toEqual({ exports: './dist', publishConfig: { access: 'public' } })
    }
    for (const action of ['restore', 'restore']) {
      await change(action)
      expect(await readFile(join(directory, 'package.json'), 'utf8')).toBe(own)
      expect(await readdir(directory)).toEqual(['package.json'])
    }
  })
})

const CONSUMER = `
import { build, BuildError, type BuildOptions, type ProgressEvent } from '@tsbuild/builder'
import { RegistryClient } from '@tsbuild/registry-client'
import { TestRegistry } from '@tsbuild/registry-client/testing'

const options: BuildOptions = {
  context: new URL('app/', import.meta.url),
  onProgress: (event: ProgressEvent) => void event.type,
}
export const digest: Promise<string> = build(options).then((result) => result.digest)
export const code = (error: unknown): string | undefined => (error instanceof BuildError ? error.code : undefined)
export const client = new RegistryClient({ credentials: false })
export const registry = (): Promise<TestRegistry> => TestRegistry.start()
// @ts-expect-error: options have types
void build({ contxt: '.' })
`

const BUILD = `
import { build } from '@tsbuild/builder'

const [context, target] = process.argv.slice(2)
const { platforms } = await build({ context, target, buildArgs: { SOURCE_DATE_EPOCH: '0' } })
console.log(platforms[0].config.digest)
`

describe.skipIf(needs.skip).each<PackageManager>(['npm', 'pnpm'])(`packed by %s${needs.note}`, (manager) => {
  const project = join(place, manager)
  const checkout = join(place, `${manager}-checkout`)
  // pnpm may have to be fetched itself.
  const skip = lack !== undefined && commandOf(manager).length > 1
  let tarballs: ReadonlyMap<string, string>
  beforeAll(async () => {
    if (skip) return
    await copyCheckout(checkout)
    tarballs = await packAll(manager, checkout, join(place, `${manager}-tarballs`), env)
  })

  it.skipIf(skip)(`they have what they name, and nothing of tests or sources${skip ? offline : ''}`, async () => {
    for (const [name, tarball] of tarballs) {
      const files = (await must('tar', ['-tzf', tarball])).trim().split('\n')
      const packed = JSON.parse(await must('tar', ['-xzOf', tarball, 'package/package.json'])) as Manifest
      const named = [...Object.values(packed.exports ?? {}).flatMap((target) => Object.values(target))]
      named.push(...Object.values(packed.bin ?? {}), './README.md', './LICENSE')
      expect(files).toEqual(expect.arrayContaining(named.map((file) => file.replace(/^\.?\/?/, 'package/'))))
      expect(
        files.filter((file) => !/^package\/(dist\/|bin\/|package\.json$|README\.md$|LICENSE$)/.test(file)),
      ).toEqual([])
      expect(files.filter((file) => /\.(test|contract|test-support)\.|[^d]\.ts$|sources\.json/.test(file))).toEqual([])
      if (name === 'builder') expect(files.filter((file) => /\/(testing|contract)[/.]/.test(file))).toEqual([])
      expect(JSON.stringify(packed.dependencies)).not.toMatch(/workspace:|link:|file:/)
      // The checkout is as it was.
      const own = await readFile(join(checkout, 'packages', name, 'package.json'), 'utf8')
      expect(own).toBe(await readFile(join(sources(name), 'package.json'), 'utf8'))
    }
    if (tarballs.has('builder')) {
      const docs = await must('tar', ['-xzOf', tarballs.get('builder')!, 'package/dist/options.d.ts'])
      expect(docs).toContain('/** Names of the image: `NAME[:TAG]`. */')
    }
  })

  describe.skipIf(lack !== undefined)(`in an empty project${offline}`, () => {
    const user = withNode(env)
    beforeAll(async () => {
      const dependencies = Object.fromEntries(
        [...tarballs].map(([name, tarball]) => [`@tsbuild/${name}`, `file:${tarball}`]),
      )
      await writeTree(project, {
        'package.json': JSON.stringify({ name: 'project', private: true, type: 'module', dependencies }),
        // npm takes the client that is there for the one that the builder names; pnpm would look for it in the registry.
        'pnpm-workspace.yaml': JSON.stringify({ overrides: dependencies, allowBuilds: { koffi: false } }),
        'build.js': BUILD,
        'consumer.ts': CONSUMER,
        'app/file': 'content',
        'app/Dockerfile': `FROM scratch AS files\nCOPY file /file\nFROM ${inject('registry') || 'none'}/busybox AS run\nRUN echo 1 > /number\n`,
      })
      const [file, ...words] = commandOf(manager)
      await must(file!, [...words, 'install'], { cwd: project, env: user, timeout: 300_000 })
    })

    const DIGEST = /^sha256:[0-9a-f]{64}\n$/
    const inProject = (file: string, ...args: string[]) => must(file, args, { cwd: project, env: user })

    it('the library and the command build the same', async () => {
      const built = await inProject(process.execPath, 'build.js', 'app', 'files')
      expect(built).toMatch(DIGEST)
      const flags = ['-q', '--target', 'files', '--build-arg', 'SOURCE_DATE_EPOCH=0', 'app']
      expect(await inProject(join(project, 'node_modules/.bin/tsbuild'), ...flags)).toBe(built)
    })

    it('npx finds the command', async () => {
      const { version } = await manifestIn(sources('cli'))
      expect(await inProject('npx', '--no-install', 'tsbuild', '--version')).toContain(`tsbuild ${version} `)
    })

    it.skipIf(runs.skip)(`the library runs commands${runs.note}`, async () => {
      expect(await inProject(process.execPath, 'build.js', 'app', 'run')).toMatch(DIGEST)
    })

    it.each([
      ['node16', 'node16'],
      ['esnext', 'bundler'],
    ])('types are complete by themselves: module %s, resolved as %s', async (module, moduleResolution) => {
      const compilerOptions = { module, moduleResolution, target: 'es2022', strict: true, skipLibCheck: false }
      const config = `tsconfig.${moduleResolution}.json`
      await writeTree(project, {
        [config]: JSON.stringify({ compilerOptions: { ...compilerOptions, noEmit: true }, files: ['consumer.ts'] }),
      })
      const compiler = join(repository, 'node_modules/typescript/bin/tsc')
      const { code, stdout } = await run(process.execPath, [compiler, '-p', config], { cwd: project, env: user })
      expect({ code, stdout }).toEqual({ code: 0, stdout: '' })
    })
  })
})
