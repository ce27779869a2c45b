/** An image as `docker inspect` and `docker buildx imagetools inspect` name its properties, for templates. */
import { openTable } from '../format/template.ts'
import type { InspectedImage, Inspection } from '../render-inspection.ts'
import { nameParts } from './rows.ts'

export function dockerView({ name, digest, mediaType, bytes, images }: Inspection, image: InspectedImage): object {
  const { config } = image
  const size = image.layers.reduce((sum, layer) => sum + layer.size, 0)
  const document = JSON.parse(bytes.toString('utf8')) as object
  const container = config?.config ?? {}
  return {
    Id: image.id,
    ...names(name, digest),
    Created: config?.created ?? '',
    Author: config?.author ?? '',
    Architecture: config?.architecture ?? '',
    Os: config?.os ?? '',
    Variant: config?.variant ?? '',
    OsVersion: config?.['os.version'] ?? '',
    Size: size,
    VirtualSize: size,
    Config: openTable({
      ...container,
      ...tables(container as Readonly<Record<string, unknown>>),
    }),
    RootFS: { Type: 'layers', Layers: config?.rootfs.diff_ids ?? [] },
    Descriptor: { mediaType, digest, size: bytes.length },
    Name: name,
    Digest: digest,
    MediaType: mediaType,
    Platform: image.platform,
    // As imagetools has them, by platform where there are several.
    Manifest: openTable({ ...document, mediaType, digest, size: bytes.length }),
    Image:
      images.length > 1
        ? openTable(Object.fromEntries(images.map((one) => [one.platform, openTable({ ...one.config })])))
        : openTable({ ...config }),
  }
}

const tables = (container: Readonly<Record<string, unknown>>): object =>
  Object.fromEntries(
    ['Labels', 'ExposedPorts', 'Volumes'].flatMap((key) => {
      const table = container[key]
      return typeof table === 'object' && table !== null ? [[key, openTable({ ...table })]] : []
    }),
  )

/** Of a digest or id nothing is known but that. */
function names(name: string, digest: string): { readonly RepoTags: string[]; readonly RepoDigests: string[] } {
  try {
    const { repository, tag } = nameParts(name)
    const tags = tag === '<none>' ? (name.includes('@') ? [] : [`${repository}:latest`]) : [`${repository}:${tag}`]
    return { RepoTags: tags, RepoDigests: [`${repository}@${digest}`] }
  } catch {
    return { RepoTags: [], RepoDigests: [] }
  }
}
