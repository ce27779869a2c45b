/** Entries of `index.json` (image-spec "OCI Image Layout"): what a layout or archive has, and under which names. */
import type { Descriptor } from '../model/descriptor.ts'
import { formatReference, parseReference, withDefaultTag } from '../model/reference.ts'

/** Annotations that name an entry. */
export const refNameKey = 'org.opencontainers.image.ref.name'
const containerdNameKey = 'io.containerd.image.name'

/**
 * What the names of a layout are: `ref`: as they are given; `image`: names of images, of which the tag becomes the ref
 * name, as BuildKit, containerd and docker have it.
 */
export type EntryNames = 'ref' | 'image'

/** The entries with `descriptor` under its names, which are taken away from what had them. */
export function withEntries(
  manifests: readonly Descriptor[],
  descriptor: Descriptor,
  tags: readonly string[],
  { names, annotations }: { readonly names: EntryNames; readonly annotations: Descriptor['annotations'] },
): Descriptor[] {
  const entry = (own: Descriptor['annotations']): Descriptor =>
    annotations || own ? { ...descriptor, annotations: { ...annotations, ...own } } : descriptor
  const named = tags.map((tag) => entry(nameAnnotations(tag, names)))
  const taken = new Set(named.map(keyOf))
  const others = manifests.filter((known) => {
    const key = keyOf(known)
    return key === undefined ? known.digest !== descriptor.digest : !taken.has(key)
  })
  if (tags.length > 0) return [...others, ...named]
  return others.some(({ digest }) => digest === descriptor.digest) ? others : [...others, entry(undefined)]
}

function nameAnnotations(tag: string, names: EntryNames): Record<string, string> {
  if (names === 'ref') return { [refNameKey]: tag }
  const reference = withDefaultTag(parseReference(tag))
  return {
    [containerdNameKey]: formatReference(reference),
    ...(reference.tag !== undefined && { [refNameKey]: reference.tag }),
  }
}

/** What an entry is told from others by: several images may have the same tag. */
function keyOf({ annotations }: Descriptor): string | undefined {
  return annotations?.[containerdNameKey] ?? annotations?.[refNameKey]
}

/** What an entry is called, by its tag where it has one. */
export function nameOf({ annotations }: Descriptor): string | undefined {
  return annotations?.[refNameKey] ?? annotations?.[containerdNameKey]
}

/** true for the entry that a name or digest means. */
export function isNamed({ digest, annotations }: Descriptor, reference: string): boolean {
  return (
    digest === reference || annotations?.[refNameKey] === reference || annotations?.[containerdNameKey] === reference
  )
}
