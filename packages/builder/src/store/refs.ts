/**
 * Names of images in the store. They stand in `index.json` as an OCI image layout has them, so that
 * `skopeo inspect oci:<root>:<name>` finds them; every name has one entry.
 */
import { constants } from 'node:fs'
import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  type Companion,
  type Descriptor,
  formatReference,
  type Index,
  mediaTypes,
  parseManifest,
  parseReference,
} from '@tsbuild/registry-client'
import { syncPath } from './blobs.ts'
import type { TemporaryPath } from './content-store.ts'
import { storeErrors } from './errors.ts'
import type { Locks } from './locks.ts'

/** Annotation that names an image in a layout (image-spec "Pre-Defined Annotation Keys"). */
const REF_NAME = 'org.opencontainers.image.ref.name'
/** When the name was given to the image; RFC 3339. */
const TAGGED = 'dev.tsbuild.tagged'
/** On manifests without a name: what they refer to, and how, where they do not say it themselves. */
const SUBJECT = 'dev.tsbuild.subject'
const COMPANION = 'dev.tsbuild.companion'
const OWN = [REF_NAME, TAGGED, SUBJECT, COMPANION]

export interface NamedImage {
  readonly name: string
  /** The manifest or index, without the annotations that the store adds. */
  readonly descriptor: Descriptor
  /** When it was tagged, milliseconds since the epoch; undefined when another tool did it. */
  readonly tagged: number | undefined
}

/** A manifest that is kept for what it refers to, as a signature is. */
export interface Attachment {
  readonly descriptor: Descriptor
  readonly subject: string
  /** For one that does not name its subject itself. */
  readonly companion?: Companion['kind'] | undefined
}

export interface Images {
  /**
   * Gives a name to an image whose blobs are in the store; a name given before moves.
   *
   * @throws IMAGE_NAME_MISMATCH when the name has a digest that the image does not have
   */
  tag(name: string, descriptor: Descriptor, now: number): Promise<void>
  /** Takes a name away. @throws IMAGE_UNKNOWN */
  untag(name: string): Promise<void>
  /** The image that a name means, see {@link namesMeant}; undefined when there is none. */
  resolve(name: string): Promise<Descriptor | undefined>
  /** Every name, sorted. */
  list(): Promise<NamedImage[]>
  /** What must be kept: every descriptor in the index, also those that other tools put there without a name. */
  roots(): Promise<readonly Descriptor[]>
  /** Keeps a manifest as long as its subject is kept; idempotent. */
  attach(attachment: Attachment): Promise<void>
  attachments(): Promise<Attachment[]>
  /** Forgets what is attached to anything else than these. */
  detach(kept: ReadonlySet<string>): Promise<void>
}

/** The names in `<root>/index.json`. */
export function openImages(root: string, locks: Locks, temporaryFile: (prefix: string) => TemporaryPath): Images {
  const path = join(root, 'index.json')

  async function read(): Promise<Index> {
    const bytes = await readFile(path, { flag: constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) }).catch(
      (error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return undefined
        throw error
      },
    )
    if (!bytes) return emptyIndex()
    try {
      const document = parseManifest(bytes, mediaTypes.ociIndex, 'index.json')
      if (document.kind === 'index') return document.index
    } catch (cause) {
      throw damaged({ cause })
    }
    throw damaged({})
  }

  function damaged(details: { readonly cause?: unknown }): Error {
    const hint = 'it holds the names of images: put a copy of it back, or delete it, which forgets them'
    return storeErrors.storeDamaged([path, 'is no image index'], { ...details, hint })
  }

  async function change(edit: (manifests: readonly Descriptor[]) => readonly Descriptor[]): Promise<void> {
    await using _held = await locks.acquire('index.json')
    const index = await read()
    await using temporary = temporaryFile('index')
    const json = JSON.stringify({ ...index, manifests: edit(index.manifests) })
    await writeFile(temporary.path, json, { flush: true, mode: 0o644 })
    await rename(temporary.path, path)
    await syncPath(root)
  }

  const list = async () =>
    (await read()).manifests
      .filter((d) => nameOf(d) !== undefined)
      .map((d) => ({ name: nameOf(d)!, descriptor: bare(d), tagged: taggedAt(d) }))
      .sort((a, b) => (a.name < b.name ? -1 : 1))

  return {
    list,
    roots: async () => (await read()).manifests.filter((d) => attachmentOf(d) === undefined),
    attachments: async () => (await read()).manifests.flatMap((d) => attachmentOf(d) ?? []),
    async attach({ descriptor, subject, companion }) {
      const annotations = { [SUBJECT]: subject, ...(companion && { [COMPANION]: companion }) }
      await change((manifests) => {
        const same = (d: Descriptor) => {
          const other = attachmentOf(d)
          if (other?.subject !== subject || other.companion !== companion) return false
          // A subject has one signature manifest under its tag, and any number that name it.
          return companion !== undefined || other.descriptor.digest === descriptor.digest
        }
        return [...manifests.filter((d) => !same(d)), { ...descriptor, annotations }]
      })
    },
    async detach(kept) {
      const gone = (d: Descriptor) => attachmentOf(d) !== undefined && !kept.has(d.annotations![SUBJECT]!)
      if ((await read()).manifests.some(gone)) await change((manifests) => manifests.filter((d) => !gone(d)))
    },
    async tag(name, descriptor, now) {
      const digest = parseReference(name).digest
      if (digest !== undefined && digest !== descriptor.digest)
        throw storeErrors.nameMismatch([name, descriptor.digest])
      const annotations = { ...descriptor.annotations, [REF_NAME]: name, [TAGGED]: new Date(now).toISOString() }
      await change((manifests) => [...manifests.filter((d) => nameOf(d) !== name), { ...descriptor, annotations }])
    },
    async untag(name) {
      await change((manifests) => {
        const kept = manifests.filter((d) => nameOf(d) !== name)
        if (kept.length === manifests.length) throw storeErrors.imageUnknown([name])
        return kept
      })
    },
    resolve: async (name) => namesMeant(await list(), name)[0]?.descriptor,
  }
}

/**
 * What a name in full form means among those that are there: the one that is equal, and with a digest NAME:TAG, or
 * without a tag any of NAME, that has this digest. Several only of NAME@DIGEST; they are one image then.
 */
export function namesMeant(images: readonly NamedImage[], name: string): readonly NamedImage[] {
  const { digest, ...rest } = parseReference(name)
  const same = images.filter((image) => image.name === name)
  if (digest === undefined) return same
  const fits = ({ descriptor }: NamedImage) => descriptor.digest === digest
  if (same.some(fits)) return same
  const base = formatReference(rest)
  const belongs = (other: string) => (rest.tag === undefined ? other.startsWith(`${base}:`) : other === base)
  return images.filter((image) => belongs(image.name) && fits(image))
}

/** The content of `index.json` of a store without images. */
export function emptyIndex(): Index {
  return { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [] }
}

function nameOf(descriptor: Descriptor): string | undefined {
  return descriptor.annotations?.[REF_NAME]
}

function attachmentOf(descriptor: Descriptor): Attachment | undefined {
  const subject = nameOf(descriptor) === undefined ? descriptor.annotations?.[SUBJECT] : undefined
  if (subject === undefined) return undefined
  const companion = descriptor.annotations?.[COMPANION] as Companion['kind'] | undefined
  return { descriptor: bare(descriptor), subject, companion }
}

function taggedAt(descriptor: Descriptor): number | undefined {
  const time = Date.parse(descriptor.annotations?.[TAGGED] ?? '')
  return Number.isNaN(time) ? undefined : time
}

function bare(descriptor: Descriptor): Descriptor {
  const { annotations, ...rest } = descriptor
  const kept = Object.entries(annotations ?? {}).filter(([key]) => !OWN.includes(key))
  return kept.length === 0 ? rest : { ...rest, annotations: Object.fromEntries(kept) }
}
