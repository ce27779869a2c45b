/** Images as docker's templates name their properties. */
import { familiarReference, parseReference } from '@tsbuild/registry-client'
import type { Row } from '../format/rows.ts'
import { formatBytes } from '../progress/format.ts'
import type { Inspection } from '../render-inspection.ts'
import { formatAge, shortDigest } from '../table.ts'

/** An image of the store, with what leads to it. */
export interface StoredImage {
  readonly name: string
  readonly digest: string
  readonly mediaType: string
  readonly platforms: readonly string[]
  /** Bytes of the compressed layers, each counted once. */
  readonly size: number
  /** RFC 3339. */
  readonly tagged?: string
}

/** What lists and filters look at beside it. */
export interface ListedImage {
  readonly image: StoredImage
  /** The digest of the config, of an image for several platforms that of the index. */
  readonly id: string
  /** Milliseconds since the epoch; 0 when the image does not say. */
  readonly created: number
  readonly labels: readonly Readonly<Record<string, string>>[]
}

export function listedImage(inspection: Inspection, tagged: number | undefined): ListedImage {
  const { name, digest, mediaType, images } = inspection
  const layers = new Map(images.flatMap((image) => image.layers).map((layer) => [layer.digest, layer.size]))
  const [only, second] = images
  const created = Math.max(0, ...images.map((image) => Date.parse(image.config?.created ?? '') || 0))
  return {
    image: {
      name,
      digest,
      mediaType,
      platforms: images.map((image) => image.platform),
      size: [...layers.values()].reduce((sum, size) => sum + size, 0),
      ...(tagged === undefined ? {} : { tagged: new Date(tagged).toISOString() }),
    },
    id: (second ? undefined : only?.id) ?? digest,
    created,
    labels: images.map((image) => image.config?.config?.Labels ?? {}),
  }
}

/** The heads of the columns, as docker has them. */
export const IMAGE_HEADS: Readonly<Record<string, string>> = {
  ID: 'IMAGE ID',
  CreatedSince: 'CREATED',
  CreatedAt: 'CREATED AT',
  SharedSize: 'SHARED SIZE',
  UniqueSize: 'UNIQUE SIZE',
  VirtualSize: 'VIRTUAL SIZE',
  MediaType: 'MEDIA TYPE',
}

export function imageRow({ image, id, created }: ListedImage, truncate: boolean, now: number): Row {
  const { repository, tag } = nameParts(image.name)
  const size = formatBytes(image.size)
  return {
    Repository: repository,
    Tag: tag,
    ID: truncate ? shortDigest(id) : id,
    Digest: image.digest,
    CreatedSince: created === 0 ? 'N/A' : formatAge(created, now),
    CreatedAt: created === 0 ? 'N/A' : formatTime(created),
    Size: size,
    VirtualSize: size,
    SharedSize: 'N/A',
    UniqueSize: 'N/A',
    Containers: 'N/A',
    Name: image.name,
    Platform: image.platforms.join(','),
    MediaType: image.mediaType,
    Tagged: image.tagged ?? '',
  }
}

/** A name as docker shows it, in two. */
export function nameParts(name: string): { readonly repository: string; readonly tag: string } {
  const reference = parseReference(name)
  const { tag } = reference
  const short = familiarReference(reference).replace(/@.*$/, '')
  return tag === undefined ? { repository: short, tag: '<none>' } : { repository: short.replace(/:[^:/]*$/, ''), tag }
}

/** A time as Go prints it. */
function formatTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')} +0000 UTC`
}
