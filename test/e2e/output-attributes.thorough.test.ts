/** Every attribute of every output does something, is refused, or a warning says that it does nothing. */
import { lstatSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { build } from '@tsbuild/builder'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { FAILURE_ATTRIBUTES } from '../../packages/builder/src/export/failed-files.ts'
import { exporters } from '../../packages/builder/src/export/index.ts'
import { BUILD_FLAGS, draftBuild } from '../../packages/cli/src/flags/build/index.ts'
import { resolveBuild } from '../../packages/cli/src/flags/build/resolve.ts'
import { parseArguments } from '../../packages/cli/src/flags/parse.ts'
import { everyRow } from '../support/every-row.ts'
import { listTar } from '../support/image-layout.ts'
import { gate } from '../support/tools.ts'
import { openWorkspace, type Workspace } from '../support/workspace.ts'

const needs = gate('docker-registry', 'busybox')

interface Ran {
  readonly code: number
  /** Warnings, and the error. */
  readonly said: string
  readonly metadata: Readonly<Record<string, unknown>>
}

interface Descriptor {
  readonly mediaType: string
  readonly digest: string
  readonly platform?: { readonly architecture: string }
  readonly annotations?: Readonly<Record<string, string>>
}

interface Manifest {
  readonly config: Descriptor
  readonly layers: readonly Descriptor[]
  readonly annotations?: Readonly<Record<string, string>>
}

/** What an output made of a build for one platform or two. */
interface Made {
  readonly said: string
  /** What the name points at; without annotations where that is a registry. */
  readonly top: Descriptor
  readonly index: { readonly manifests: readonly Descriptor[]; readonly annotations?: object } | undefined
  readonly manifests: readonly Manifest[]
  readonly config: { readonly created: string }
}

const BOTH = ['--platform', 'linux/amd64,linux/arm64']
const EPOCH = ['--build-arg', 'SOURCE_DATE_EPOCH=1000000000']

describe.skipIf(needs.skip)(`attributes of outputs${needs.note}`, () => {
  let place: Workspace
  let context: string
  let count = 0

  beforeAll(async () => {
    place = await openWorkspace()
    const base = await place.files({ Dockerfile: 'FROM scratch\nCOPY f /base\n', f: 'base\n'.repeat(100) }, 'base')
    await place.must([...BOTH, '-t', 'base', '-o', `type=oci,tar=false,dest=${place.join('base-image')}`, base])
    context = await place.files({ Dockerfile: 'FROM base\nCOPY f /own\n', f: 'own\n'.repeat(100) })
  })
  afterAll(() => place[Symbol.asyncDispose]())

  /** As the command does, in this process: there are too many builds for a process each. */
  const run = async (args: readonly string[]): Promise<Ran> => {
    const warnings: string[] = []
    const env = { PATH: process.env.PATH, HOME: place.home, TSBUILD_ROOT: place.root }
    try {
      const contexts = ['--build-context', `base=oci-layout://${place.join('base-image')}`]
      const { values, words } = parseArguments([...contexts, ...args, context], BUILD_FLAGS)
      const { options } = resolveBuild(draftBuild(values, env), words, { debug: false })
      const { metadata } = await build({
        ...options,
        onProgress: (e) => e.type === 'warning' && warnings.push(e.warning.message),
      })
      return { code: 0, said: warnings.join('\n'), metadata }
    } catch (error) {
      return { code: 1, said: `${warnings.join('\n')}\n${(error as Error).message}`, metadata: {} }
    }
  }

  const output = async (text: string, more: readonly string[] = []): Promise<string> => {
    const result = await run(['-o', text, ...more])
    expect(result.code, result.said).toBe(0)
    return result.said
  }

  /** Builds with an output of a type and reads what it made. */
  const make = async (type: ImageType, attrs: string, more: readonly string[] = []): Promise<Made> => {
    const name = `${inject('registry')}/attributes/${type}-${count++}:x`
    const directory = place.join(`${type}-${count}`)
    const where = type === 'oci' || type === 'docker' ? `,tar=false,dest=${directory}` : ''
    const said = await output(`type=${type},name=${name}${where}${attrs && `,${attrs}`}`, more)
    const root = type === 'image' ? place.root : directory
    const read =
      type === 'registry'
        ? async (digest: string) => (await fetchManifest(name, digest)).text
        : async (digest: string) => readFileSync(join(root, 'blobs', digest.replace(':', '/')), 'utf8')
    const top =
      type === 'registry'
        ? await fetchManifest(name, 'x')
        : (JSON.parse(readFileSync(join(root, 'index.json'), 'utf8')) as { manifests: Descriptor[] }).manifests.find(
            ({ annotations }) => Object.values(annotations ?? {}).includes(name),
          )!
    const document = JSON.parse(await read(top.digest)) as Manifest & { manifests?: Descriptor[] }
    const index = document.manifests && (document as unknown as Made['index'])
    const manifests: Manifest[] = index
      ? await Promise.all(index.manifests.map(async ({ digest }) => JSON.parse(await read(digest)) as Manifest))
      : [document]
    return { said, top, index, manifests, config: JSON.parse(await read(manifests[0]!.config.digest)) }
  }

  /** A manifest, or a blob that a manifest names. */
  async function fetchManifest(name: string, reference: string): Promise<Descriptor & { readonly text: string }> {
    const [, host, repository] = /^([^/]+)\/(.+):x$/.exec(name)!
    const accept = [
      'oci.image.index.v1',
      'oci.image.manifest.v1',
      'docker.distribution.manifest.list.v2',
      'docker.distribution.manifest.v2',
    ]
    const headers = { accept: accept.map((type) => `application/vnd.${type}+json`).join(', ') }
    let response = await fetch(`http://${host}/v2/${repository}/manifests/${reference}`, { headers })
    if (!response.ok) response = await fetch(`http://${host}/v2/${repository}/blobs/${reference}`)
    expect(response.status).toBe(200)
    const mediaType = response.headers.get('content-type')!
    return { mediaType, digest: response.headers.get('docker-content-digest')!, text: await response.text() }
  }

  type ImageType = 'oci' | 'docker' | 'image' | 'registry'
  type Case = (type: ImageType) => Promise<void>

  const FORMAT = {
    async compression(type) {
      const { manifests, said, top } = await make(type, 'compression=zstd')
      const [base, own] = manifests[0]!.layers
      expect(base!.mediaType).toMatch(/gzip$/)
      expect(own!.mediaType).toBe('application/vnd.oci.image.layer.v1.tar+zstd')
      expect(top.mediaType).toBe('application/vnd.oci.image.manifest.v1+json')
      expect(said.includes('OCI media types')).toBe(type === 'docker')
      const plain = await make(type, 'compression=uncompressed')
      expect(plain.manifests[0]!.layers[1]!.mediaType).toMatch(/tar$/)
    },
    async 'compression-level'(type) {
      const [fast, best] = [await make(type, 'compression-level=1'), await make(type, 'compression-level=9')]
      expect(fast.manifests[0]!.layers[1]!.digest).not.toBe(best.manifests[0]!.layers[1]!.digest)
      const { said } = await make(type, 'compression=uncompressed,compression-level=1')
      expect(said).toContain('compression-level has no effect on uncompressed layers')
      expect((await run(['-o', `type=${type},compression-level=23,compression=zstd`])).said).toContain('out of range')
    },
    async 'force-compression'(type) {
      const usual = await make(type, '')
      const { manifests, config } = await make(type, 'compression=zstd,force-compression=true')
      for (const { mediaType } of manifests[0]!.layers) expect(mediaType).toMatch(/zstd$/)
      expect((config as { rootfs?: unknown }).rootfs).toEqual((usual.config as { rootfs?: unknown }).rootfs)
      for (const attrs of ['compression=uncompressed,force-compression=true'])
        for (const { mediaType } of (await make(type, attrs)).manifests[0]!.layers) expect(mediaType).toMatch(/tar$/)
      expect((await make(type, 'force-compression=true')).manifests[0]!.layers).toEqual(usual.manifests[0]!.layers)
    },
    async 'oci-mediatypes'(type) {
      const oci = type !== 'docker'
      expect((await make(type, '')).top.mediaType).toContain(oci ? 'vnd.oci' : 'vnd.docker')
      expect((await make(type, `oci-mediatypes=${!oci}`)).top.mediaType).toContain(oci ? 'vnd.docker' : 'vnd.oci')
    },
    async 'rewrite-timestamp'(type) {
      const { manifests } = await make(type, 'rewrite-timestamp=true,source-date-epoch=5')
      expect(manifests[0]!.layers[1]!.annotations).toEqual({ 'buildkit/rewritten-timestamp': '5' })
      expect((await make(type, 'rewrite-timestamp=true')).said).toContain('no effect without SOURCE_DATE_EPOCH')
    },
    async 'source-date-epoch'(type) {
      expect((await make(type, 'source-date-epoch=5', EPOCH)).config.created).toBe('1970-01-01T00:00:05Z')
      expect((await make(type, '', EPOCH)).config.created).toBe('2001-09-09T01:46:40Z')
      // What the command line says stays in the history, as in the reference: reproducible.thorough.test.ts has what a file sets.
      const without = await make(type, 'source-date-epoch=', EPOCH)
      expect(without.config).toMatchObject({ history: [{}, { created: '2001-09-09T01:46:40Z' }] })
      expect(without.manifests[0]!.layers[1]!.digest).toBe((await make(type, '')).manifests[0]!.layers[1]!.digest)
    },
    async annotation(type) {
      const { manifests } = await make(type, 'annotation.a=b,annotation[linux/arm64].c=d', BOTH)
      expect(manifests.map(({ annotations }) => annotations)).toEqual([{ a: 'b' }, { a: 'b', c: 'd' }])
      expect((await make(type, 'annotation[linux/s390x].c=d')).said).toContain('linux/s390x have no effect')
    },
    async 'annotation-manifest'(type) {
      const { manifests } = await make(type, 'annotation-manifest.a=b,annotation-manifest[linux/arm64].c=d', BOTH)
      expect(manifests.map(({ annotations }) => annotations)).toEqual([{ a: 'b' }, { a: 'b', c: 'd' }])
    },
    async 'annotation-manifest-descriptor'(type) {
      const attrs = 'annotation-manifest-descriptor.a=b,annotation-manifest-descriptor[linux/arm64].c=d'
      const { index, manifests } = await make(type, attrs, BOTH)
      expect(index!.manifests.map(({ annotations }) => annotations)).toEqual([{ a: 'b' }, { a: 'b', c: 'd' }])
      expect(manifests.map(({ annotations }) => annotations)).toEqual([undefined, undefined])
      if (type !== 'registry') expect((await make(type, attrs)).top.annotations).toMatchObject({ a: 'b' })
    },
    async 'annotation-index'(type) {
      expect((await make(type, 'annotation-index.a=b', BOTH)).index!.annotations).toEqual({ a: 'b' })
      const single = await run(['-o', `type=${type},annotation-index.a=b`])
      expect(single.code).toBe(1)
      expect(single.said).toContain('index annotations not supported for single platform export')
    },
    async 'annotation-index-descriptor'(type) {
      const { index, top } = await make(type, 'annotation-index-descriptor.a=b', BOTH)
      expect(index!.annotations).toBeUndefined()
      // A registry has no descriptor of what a tag points at.
      if (type !== 'registry') expect(top.annotations).toMatchObject({ a: 'b' })
      const single = await run(['-o', `type=${type},annotation-index-descriptor.a=b`])
      expect(single.said).toContain('index annotations not supported for single platform export')
    },
  } satisfies Record<string, Case>

  const LAYOUT = {
    ...FORMAT,
    async dest(type) {
      await output(`type=${type},dest=${place.join(`${type}.dest`)}`)
      expect(statSync(place.join(`${type}.dest`)).isFile()).toBe(true)
    },
    async name(type) {
      expect((await make(type, '')).top.annotations).toMatchObject({ 'org.opencontainers.image.ref.name': 'x' })
    },
    async tar(type) {
      await output(`type=${type},tar=false,dest=${place.join(`${type}.dir`)}`)
      expect(readdirSync(place.join(`${type}.dir`))).toContain('oci-layout')
    },
  } satisfies Record<string, Case>

  const stored = (): { name: string; digest: string }[] =>
    (JSON.parse(readFileSync(join(place.root, 'index.json'), 'utf8')) as { manifests: Descriptor[] }).manifests.map(
      ({ digest, annotations }) => ({ digest, name: annotations!['org.opencontainers.image.ref.name']! }),
    )
  const tags = async (repository: string): Promise<string[] | undefined> => {
    const response = await fetch(`http://${inject('registry')}/v2/${repository}/tags/list`)
    return response.ok ? (((await response.json()) as { tags: string[] | null }).tags ?? []) : undefined
  }
  /** A repository that no other test uses, and its name with the registry's. */
  const fresh = (): [repository: string, name: string] => {
    const repository = `attributes/fresh-${count++}`
    return [repository, `${inject('registry')}/${repository}`]
  }

  const IMAGE = {
    ...FORMAT,
    async name(type) {
      const [repository, name] = fresh()
      await output(`type=${type},push=true,"name=${name}:1,${name}:2"`)
      expect((await tags(repository))!.sort()).toEqual(['1', '2'])
    },
    async push(type) {
      const [repository, name] = fresh()
      await output(`type=${type},name=${name}:1,push=false`)
      expect(await tags(repository)).toBeUndefined()
      await output(`type=${type},name=${name}:1,push=true`)
      expect(await tags(repository)).toEqual(['1'])
    },
    async 'push-by-digest'(type) {
      const [repository, name] = fresh()
      const { metadata } = await run([
        '-o',
        `type=${type},name=${name},push=true,push-by-digest=true,name-canonical=true`,
      ])
      expect((await tags(repository)) ?? []).toEqual([])
      const { 'containerimage.digest': digest, 'image.name': image } = metadata
      expect(image).toBe(name)
      const found = await fetch(`http://${inject('registry')}/v2/${repository}/manifests/${digest}`, {
        headers: { accept: 'application/vnd.oci.image.manifest.v1+json' },
      })
      expect(found.status).toBe(200)
      const tagged = await run(['-t', `${name}:1`, '-o', `type=${type},push=true,push-by-digest=true`])
      expect(tagged.said).toContain(`can't push tagged ref ${name}:1 by digest`)
      await output(`type=${type},push=true,push-by-digest=true`, ['-t', name])
      expect(await output(`type=${type},name=${name},push=false,push-by-digest=true`)).toContain(
        'push-by-digest has no effect',
      )
    },
    async 'registry.insecure'(type) {
      const [, name] = fresh()
      await output(`type=${type},name=${name}:1,push=true,registry.insecure=true`)
      expect(await output(`type=${type},name=${name}:1,push=false,registry.insecure=true`)).toContain(
        'registry.insecure has no effect',
      )
    },
    async store(type) {
      const [, name] = fresh()
      await output(`type=${type},name=${name}:1,push=false,store=false`)
      expect(stored().map((image) => image.name)).not.toContain(`${name}:1`)
      await output(`type=${type},name=${name}:1,push=false,store=true`)
      expect(stored().map((image) => image.name)).toContain(`${name}:1`)
    },
    async unpack(type) {
      expect(await output(`type=${type},push=false,unpack=true`)).toContain('unpack has no effect')
    },
    async 'name-canonical'(type) {
      const [, name] = fresh()
      await output(`type=${type},name=${name}:1,push=false,store=true,name-canonical=true`)
      const { digest } = stored().find((image) => image.name === `${name}:1`)!
      expect(stored()).toContainEqual({ name: `${name}:1@${digest}`, digest })
      expect(await output(`type=${type},name=${name}:1,push=false,store=false,name-canonical=true`)).toContain(
        'name-canonical has no effect',
      )
    },
    async 'dangling-name-prefix'(type) {
      const [repository, name] = fresh()
      await output(`type=${type},push=true,store=true,dangling-name-prefix=${name}`)
      const image = stored().find((one) => one.name.startsWith(`${name}@`))!
      expect(image.name).toBe(`${name}@${image.digest}`)
      expect((await tags(repository)) ?? []).toEqual([])
      await output(`type=${type},push=false,store=true,name=${name}:1,dangling-name-prefix=${name}/unused`)
      expect(stored().filter((one) => one.name.includes('unused'))).toEqual([])
    },
  } satisfies Record<string, Case>

  const TABLES = { oci: LAYOUT, docker: LAYOUT, image: IMAGE, registry: IMAGE } as const
  for (const type of Object.keys(TABLES) as ImageType[])
    describe(`type=${type}`, () =>
      everyRow(
        exporters[type].attributes,
        TABLES[type] as Record<string, Case>,
        (name) => name,
        async (_, check) => check(type),
      ))

  type FilesType = 'local' | 'tar'
  /** Names and times of what is in an output: `path` or `path time`. */
  const entries = async (
    type: FilesType,
    attrs: string,
    more: readonly string[] = [],
  ): Promise<Map<string, number>> => {
    const dest = place.join(`files-${count++}`)
    await output(`type=${type},dest=${dest}${attrs && `,${attrs}`}`, more)
    if (type === 'tar')
      return new Map([...(await listTar(dest))].map(([path, entry]) => [path.replace(/\/$/, ''), entry.mtime]))
    const paths = readdirSync(dest, { recursive: true }) as string[]
    return new Map(paths.map((path) => [path, lstatSync(join(dest, path)).mtimeMs / 1000]))
  }
  const FILES = {
    async dest(type: FilesType) {
      expect([...(await entries(type, '')).keys()].sort()).toEqual(['base', 'own'])
    },
    async 'platform-split'(type: FilesType) {
      const names = async (attrs: string, more: readonly string[]) =>
        [...(await entries(type, attrs, more)).keys()].sort()
      const split = ['linux_amd64', 'linux_amd64/base', 'linux_amd64/own']
      expect(await names('platform-split=true', BOTH.with(1, 'linux/amd64'))).toEqual(split)
      expect(await names('', BOTH)).toHaveLength(6)
      const joined = await run([
        ...BOTH,
        '-o',
        `type=${type},platform-split=false,dest=${place.join(`joined-${type}`)}`,
      ])
      expect(joined.code).toBe(1)
      expect(joined.said).toContain(
        'cannot overwrite base from linux/amd64 with linux/arm64 when split option is disabled',
      )
      const apart = await place.files(
        { Dockerfile: 'FROM scratch\nARG TARGETARCH\nCOPY f /d/$TARGETARCH\n', f: 'f' },
        'apart',
      )
      const dest = place.join(`apart-${type}`)
      await place.must([...BOTH, '-o', `type=${type},platform-split=false,dest=${dest}`, apart])
      if (type === 'local') expect(readdirSync(join(dest, 'd')).sort()).toEqual(['amd64', 'arm64'])
      else
        expect([...(await listTar(dest)).keys()].sort()).toEqual(
          ['d/', 'd/amd64', 'd/arm64'].map((path) => expect.stringContaining(path.replace(/\/$/, ''))),
        )
    },
    async 'source-date-epoch'(type: FilesType) {
      expect(new Set((await entries(type, 'source-date-epoch=5', EPOCH)).values())).toEqual(new Set([5]))
      expect(new Set((await entries(type, '', EPOCH)).values())).toEqual(new Set([1000000000]))
      expect(new Set((await entries(type, 'source-date-epoch=', EPOCH)).values())).not.toContain(1000000000)
    },
  }
  for (const type of ['local', 'tar'] as const)
    describe(`type=${type}`, () =>
      everyRow(
        exporters[type].attributes,
        FILES as Record<string, (type: FilesType) => Promise<void>>,
        (name) => name,
        async (_, check) => check(type),
      ))

  it('type=cacheonly has none', async () => {
    expect(exporters.cacheonly.attributes).toEqual([])
    expect((await run(['-o', 'type=cacheonly,x=y'])).said).toContain('unknown attribute "x" of output type cacheonly')
  })

  it('no type is left out', () =>
    expect(Object.keys(exporters).sort()).toEqual([...Object.keys(TABLES), 'local', 'tar', 'cacheonly'].sort()))

  describe('--output-on-failure', () => {
    const fail = async (attrs: string) => {
      const dest = place.join(`failed-${count++}`)
      const failing = await place.files(
        { Dockerfile: `FROM ${inject('registry')}/busybox AS one\nRUN mkdir /d && echo x > /d/report && exit 1\n` },
        'failing',
      )
      expect((await place.run(['--output-on-failure', `type=local,dest=${dest}${attrs}`, failing])).code).toBe(1)
      return dest
    }
    everyRow(
      FAILURE_ATTRIBUTES,
      {
        dest: async () => expect(readFileSync(join(await fail(''), 'd/report'), 'utf8')).toBe('x\n'),
        src: async () => expect(readdirSync(await fail(',src=/d'))).toEqual(['report']),
        stage: async () => expect(readdirSync(await fail(',stage=one'))).toContain('d'),
      } satisfies Record<string, () => Promise<void>>,
      (name) => name,
      async (_, check) => check(),
    )
  })

  it('--annotation reaches what it names', async () => {
    const flags = [
      'a=1',
      'manifest:b=2',
      'manifest[linux/arm64]:c=3',
      'manifest-descriptor:d=4',
      'manifest-descriptor[linux/amd64]:e=5',
      'index:f=6',
      'index,manifest:g=7',
      'index-descriptor:h=8',
      'org.example:i=9',
    ]
    const annotations = flags.slice(0, -1).flatMap((text) => ['--annotation', text])
    const { index, manifests, top } = await make('oci', 'annotation.a=own', [...BOTH, ...annotations])
    expect(manifests.map((manifest) => manifest.annotations)).toEqual([
      { a: 'own', b: '2', g: '7' },
      { a: 'own', b: '2', c: '3', g: '7' },
    ])
    expect(index!.manifests.map((descriptor) => descriptor.annotations)).toEqual([{ d: '4', e: '5' }, { d: '4' }])
    expect(index!.annotations).toEqual({ f: '6', g: '7' })
    expect(top.annotations).toMatchObject({ h: '8' })
    const single = await run(['--annotation', 'index:f=6', '-t', 'x', '-o', 'type=image'])
    expect(single.said).toContain('index annotations not supported for single platform export')
    expect(await output('type=cacheonly', ['--annotation', 'a=b'])).toContain('annotations have no effect')
    const unknown = await run(['--annotation', flags.at(-1)!, '-t', 'x'])
    expect(unknown.said).toContain('org.example')
  })
})
