/** Images as a tar of an OCI layout, with a `manifest.json` in it when Docker has to be able to load it. */

import { randomBytes } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { rename, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { type Descriptor, familiarReference, parseReference, type Reference } from '@tsbuild/registry-client'
import { type Pack, pack } from 'tar-stream'
import type { ContentStore } from '../store/content-store.ts'
import { makeDirectory } from '../util/make-directory.ts'
import type { BuiltImages } from './exporter.ts'

/** The blobs that belong to built images: index, manifests, configs, layers; each once, sorted. */
export function imageBlobs(built: BuiltImages): Descriptor[] {
  const all = built.images.flatMap((i) => [i.manifest, i.config, ...i.layers])
  const unique = new Map([built.descriptor, ...all].map((d) => [d.digest, d]))
  return [...unique.values()].sort((a, b) => (a.digest < b.digest ? -1 : 1))
}

/** `index.json`: one entry per name, or one without a name. */
export function layoutIndex(built: BuiltImages, names: readonly string[]): Buffer {
  const { mediaType, digest, size, platform } = built.descriptor
  const base = { mediaType, digest, size, ...(platform && { platform }) }
  const annotations = { ...built.descriptor.annotations, 'org.opencontainers.image.created': built.created }
  const manifests =
    names.length === 0
      ? [{ ...base, annotations }]
      : names.map((name) => ({
          ...base,
          annotations: {
            'io.containerd.image.name': name,
            ...annotations,
            'org.opencontainers.image.ref.name': parseReference(name).tag ?? name,
          },
        }))
  return Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests }),
  )
}

const LAYOUT = Buffer.from(JSON.stringify({ imageLayoutVersion: '1.0.0' }))
const blobPath = (digest: string) => `blobs/${digest.replace(':', '/')}`

/** What `docker load` reads. */
export function dockerManifest(built: BuiltImages, names: readonly string[]): Buffer {
  const tags = names.map((name) => dockerName(parseReference(name)))
  return Buffer.from(
    JSON.stringify(
      built.images.map((i) => ({
        Config: blobPath(i.config.digest),
        RepoTags: tags,
        Layers: i.layers.map((l) => blobPath(l.digest)),
      })),
    ),
  )
}

function dockerName(reference: Reference): string {
  return familiarReference(reference.tag || reference.digest ? reference : { ...reference, tag: 'latest' })
}

interface SmallFile {
  readonly name: string
  readonly data: Buffer
}

/** The documents of the layout itself. */
export function layoutFiles(built: BuiltImages, names: readonly string[], docker: boolean): SmallFile[] {
  return [
    { name: 'index.json', data: layoutIndex(built, names) },
    ...(docker ? [{ name: 'manifest.json', data: dockerManifest(built, names) }] : []),
    { name: 'oci-layout', data: LAYOUT },
  ]
}

/** The bytes of the tar. The same images give the same bytes. */
export async function* layoutTar(
  built: BuiltImages,
  files: readonly SmallFile[],
  blobs: ContentStore,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const tar = pack()
  const mtime = new Date(0)
  const directories = ['blobs/', 'blobs/sha256/']
  const write = async () => {
    for (const name of directories) tar.entry({ name, type: 'directory', mode: 0o755, mtime })
    for (const { digest, size } of imageBlobs(built)) {
      const entry = tar.entry({ name: blobPath(digest), size, mode: 0o444, mtime })
      for await (const chunk of blobs.open(digest, signal)) if (!entry.write(chunk)) await heard(entry, 'drain')
      entry.end(undefined)
      await heard(entry, 'finish')
    }
    for (const { name, data } of files) tar.entry({ name, mode: 0o444, mtime, size: data.length }, data)
    tar.finalize()
  }
  const done = write().catch((error: Error) => tar.destroy(error))
  try {
    for await (const chunk of tar) yield chunk as Buffer
  } finally {
    tar.destroy()
    await done
  }
}

/** Waits for an event of an entry; rejects when the archive was given up, since then the event never comes. */
function heard(entry: ReturnType<Pack['entry']>, event: 'drain' | 'finish'): Promise<void> {
  return new Promise((resolve, reject) => {
    const closed = () => reject(new Error('the archive was closed'))
    if (entry.destroyed) closed()
    entry.once(event, () => resolve())
    entry.once('close', closed)
  })
}

/** Writes the layout as a directory; an existing one of that name is replaced only when everything is there. */
export async function writeLayoutDirectory(
  dest: string,
  built: BuiltImages,
  files: readonly SmallFile[],
  blobs: ContentStore,
  signal: AbortSignal,
): Promise<void> {
  const target = resolve(dest)
  const temporary = join(dirname(target), `.${basename(target)}.${randomBytes(6).toString('hex')}.tmp`)
  try {
    await makeDirectory(join(temporary, 'blobs/sha256'))
    for (const { digest } of imageBlobs(built)) {
      signal.throwIfAborted()
      // Not copied as a file: what is read from the store is verified.
      await pipeline(blobs.open(digest, signal), createWriteStream(join(temporary, blobPath(digest)), { flags: 'wx' }))
    }
    for (const { name, data } of files) await writeFile(join(temporary, name), data)
    await makeDirectory(target)
    await rename(temporary, target).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error
      await mergeLayout(temporary, target, built, files)
    })
  } finally {
    await rm(temporary, { recursive: true, force: true })
  }
}

/** Moves blobs into an existing layout first and its documents last. */
async function mergeLayout(from: string, to: string, built: BuiltImages, files: readonly SmallFile[]): Promise<void> {
  await makeDirectory(join(to, 'blobs/sha256'))
  for (const { digest } of imageBlobs(built)) await rename(join(from, blobPath(digest)), join(to, blobPath(digest)))
  for (const { name } of files) await rename(join(from, name), join(to, name))
}
