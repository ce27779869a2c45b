/** Reads and writes OCI image layouts without the code under test. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { must } from './process.ts'

export interface Descriptor {
  mediaType: string
  digest: string
  size: number
  platform?: { os: string; architecture: string; variant?: string }
  annotations?: Record<string, string>
}

export interface ImageConfig {
  created?: string
  author?: string
  architecture: string
  os: string
  variant?: string
  config: {
    Env?: string[]
    Cmd?: string[]
    Entrypoint?: string[]
    WorkingDir?: string
    User?: string
    Labels?: Record<string, string>
    ExposedPorts?: Record<string, object>
    Volumes?: Record<string, object>
  }
  rootfs: { type: 'layers'; diff_ids: string[] }
  history: { created?: string; created_by?: string; comment?: string; empty_layer?: boolean }[]
}

export interface Image {
  readonly manifest: Descriptor
  readonly config: ImageConfig
  readonly configDigest: string
  readonly layers: readonly Descriptor[]
  /** Path of a layer's blob. */
  layerPath(index: number): string
  /** Files of all layers, the upper ones winning, whiteouts as they are. */
  files(): Promise<Map<string, Entry>>
}

/** A line of a layer. */
export interface Entry {
  /** As `ls` writes it: `-rw-r--r--`. */
  readonly mode: string
  /** `uid/gid` */
  readonly owner: string
  readonly size: number
  /** Seconds since the epoch. */
  readonly mtime: number
  /** Target of a symbolic link. */
  readonly link?: string
}

export interface Layout {
  readonly index: Descriptor
  /** One per platform; attestations are left out. */
  readonly images: readonly Image[]
}

function blobPath(directory: string, digest: string): string {
  return join(directory, 'blobs', ...digest.split(':'))
}

async function readJson<T>(path: string): Promise<T> {
  return JSON.parse(await readFile(path, 'utf8')) as T
}

/** Reads a layout directory and checks the size and digest of every blob that its first image needs. */
export async function readLayout(directory: string): Promise<Layout> {
  const layout = await readJson<{ imageLayoutVersion: string }>(join(directory, 'oci-layout'))
  if (layout.imageLayoutVersion !== '1.0.0') throw new Error(`${directory} is no OCI layout`)
  const top = await readJson<{ manifests: Descriptor[] }>(join(directory, 'index.json'))
  const index = top.manifests[0]!
  const blob = async <T>(descriptor: Descriptor): Promise<T> => {
    await verify(directory, descriptor)
    return await readJson<T>(blobPath(directory, descriptor.digest))
  }
  const isIndex = /index|manifest\.list/.test(index.mediaType)
  const manifests = isIndex ? (await blob<{ manifests: Descriptor[] }>(index)).manifests : [index]
  const images: Image[] = []
  for (const manifest of manifests) {
    if (manifest.annotations?.['vnd.docker.reference.type']) continue
    const { config, layers } = await blob<{ config: Descriptor; layers: Descriptor[] }>(manifest)
    for (const layer of layers) await verify(directory, layer)
    images.push({
      manifest,
      config: await blob<ImageConfig>(config),
      configDigest: config.digest,
      layers,
      layerPath: (i) => blobPath(directory, layers[i]!.digest),
      files: async () => {
        const all = new Map<string, Entry>()
        for (const layer of layers) for (const [k, v] of await listTar(blobPath(directory, layer.digest))) all.set(k, v)
        return all
      },
    })
  }
  return { index, images }
}

async function verify(directory: string, { digest, size }: Descriptor): Promise<void> {
  const path = blobPath(directory, digest)
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer)
  if (`sha256:${hash.digest('hex')}` !== digest) throw new Error(`${path} has other content than its name says`)
  if ((await stat(path)).size !== size) throw new Error(`${path} has another size than its descriptor says`)
}

/** Unpacks an archive with a layout into a directory and reads it. */
export async function readLayoutArchive(archive: string, directory: string): Promise<Layout> {
  await mkdir(directory, { recursive: true })
  await must('tar', ['-xf', archive, '-C', directory])
  return await readLayout(directory)
}

/** The entries of a tar file (compressed or not) as the system's tar lists them, by path without leading `./`. */
export async function listTar(path: string): Promise<Map<string, Entry>> {
  const env = { ...process.env, LC_ALL: 'C', TZ: 'UTC' }
  const text = await must('tar', ['--list', '--verbose', '--numeric-owner', '--full-time', '-f', path], { env })
  const entries = new Map<string, Entry>()
  for (const line of text.split('\n').filter(Boolean)) {
    const match = /^(\S+) +(\S+) +(\d+|\d+,\d+) +(\d+-\d+-\d+) (\S+) (.*)$/.exec(line)
    if (!match) throw new Error(`tar printed ${line}`)
    const [, mode, owner, size, day, time, rest] = match
    const [name, link] = rest!.split(mode!.startsWith('l') ? ' -> ' : ' link to ')
    entries.set(name!.replace(/^\.\//, '').replace(/\/$/, ''), {
      mode: mode!,
      owner: owner!,
      size: Number(size),
      mtime: Math.floor(Date.parse(`${day}T${time}Z`) / 1000),
      ...(link !== undefined && { link }),
    })
  }
  return entries
}

/** The content of one file of a layer. */
export function readFromTar(path: string, name: string): Promise<string> {
  return must('tar', ['--extract', '--to-stdout', '-f', path, name])
}

export interface LayoutSource {
  readonly rootfs: string
  readonly config: ImageConfig['config']
  /** `os/arch[/variant]`; default linux/amd64. Several give an index whose images share the layer. */
  readonly platforms?: readonly string[]
  /** Take owners as they are; otherwise everything belongs to root. */
  readonly keepOwners?: boolean
}

/** Packs a directory as an image of one layer, as a layout with the tag `latest`. */
export async function writeLayout(directory: string, source: LayoutSource): Promise<void> {
  await mkdir(join(directory, 'blobs/sha256'), { recursive: true })
  const owners = source.keepOwners ? [] : ['--owner=0', '--group=0']
  const archive = join(directory, 'layer.tar')
  await must('tar', [
    ...['--sort=name', '--mtime=@0', '--numeric-owner', ...owners],
    ...['-C', source.rootfs, '-cf', archive, '.'],
  ])
  const tar = await readFile(archive)
  await rm(archive)
  const put = async (data: Uint8Array, mediaType: string): Promise<Descriptor> => {
    const digest = digestOf(data)
    await writeFile(blobPath(directory, digest), data)
    return { mediaType, digest, size: data.byteLength }
  }
  const json = (value: unknown, type: string): Promise<Descriptor> =>
    put(Buffer.from(JSON.stringify(value)), `application/vnd.oci.image.${type}+json`)
  const layer = await put(gzipSync(tar, { level: 1 }), 'application/vnd.oci.image.layer.v1.tar+gzip')
  const manifests: Descriptor[] = []
  for (const text of source.platforms ?? ['linux/amd64']) {
    const [os, architecture, variant] = text.split('/') as [string, string, string | undefined]
    const platform = { os, architecture, ...(variant && { variant }) }
    const config = await json(
      {
        created: '1970-01-01T00:00:00Z',
        ...platform,
        config: source.config,
        rootfs: { type: 'layers', diff_ids: [digestOf(tar)] },
        history: [{ created: '1970-01-01T00:00:00Z', created_by: 'test' }],
      },
      'config.v1',
    )
    const mediaType = 'application/vnd.oci.image.manifest.v1+json'
    manifests.push({
      ...(await json({ schemaVersion: 2, mediaType, config, layers: [layer] }, 'manifest.v1')),
      platform,
    })
  }
  const mediaType = 'application/vnd.oci.image.index.v1+json'
  const [only, second] = manifests
  const top = only && !second ? only : await json({ schemaVersion: 2, mediaType, manifests }, 'index.v1')
  const annotations = { 'org.opencontainers.image.ref.name': 'latest' }
  await writeFile(join(directory, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
  await writeFile(
    join(directory, 'index.json'),
    JSON.stringify({ schemaVersion: 2, mediaType, manifests: [{ ...top, annotations }] }),
  )
}

function digestOf(data: Uint8Array): string {
  return `sha256:${createHash('sha256').update(data).digest('hex')}`
}

/** Copies a layout's first image to a registry on loopback. */
export async function pushLayout(directory: string, host: string, repository: string, tag = 'latest'): Promise<void> {
  const base = `http://${host}/v2/${repository}`
  const blobs = await readFile(join(directory, 'index.json'), 'utf8')
  const { manifests } = JSON.parse(blobs) as { manifests: Descriptor[] }
  await pushManifest(directory, base, manifests[0]!, tag)
}

interface ManifestBody {
  readonly config?: Descriptor
  readonly layers?: readonly Descriptor[]
  readonly manifests?: readonly Descriptor[]
}

async function pushManifest(directory: string, base: string, descriptor: Descriptor, name: string): Promise<void> {
  const body = await readFile(blobPath(directory, descriptor.digest))
  const { config, layers, manifests } = JSON.parse(body.toString()) as ManifestBody
  for (const child of manifests ?? []) await pushManifest(directory, base, child, child.digest)
  for (const blob of [...(config ? [config] : []), ...(layers ?? [])]) await pushBlob(directory, base, blob)
  await expectOk(
    await fetch(`${base}/manifests/${name}`, {
      method: 'PUT',
      body,
      headers: { 'content-type': descriptor.mediaType },
    }),
  )
}

async function pushBlob(directory: string, base: string, { digest }: Descriptor): Promise<void> {
  if ((await fetch(`${base}/blobs/${digest}`, { method: 'HEAD' })).ok) return
  const begun = await expectOk(await fetch(`${base}/blobs/uploads/`, { method: 'POST' }))
  const url = new URL(begun.headers.get('location')!, base)
  url.searchParams.set('digest', digest)
  const body = await readFile(blobPath(directory, digest))
  await expectOk(await fetch(url, { method: 'PUT', body, headers: { 'content-type': 'application/octet-stream' } }))
}

async function expectOk(response: Response): Promise<Response> {
  if (!response.ok) throw new Error(`${response.url}: HTTP ${response.status} ${await response.text()}`)
  return response
}
