/** `type=image` and `type=registry`: names in the local store, and images pushed to registries. */
import { copy, formatReference, isRegistryError, parseReference } from '@tsbuild/registry-client'
import type { OutputSpec } from '../options.ts'
import { Attributes, exportErrors, FORMAT_ATTRIBUTES } from './attrs.ts'
import type { BuiltImages, ExportContext, Exporter } from './exporter.ts'
import { bareNames, normalizedNames } from './names.ts'

const ATTRIBUTES = [
  'name',
  'push',
  'push-by-digest',
  'registry.insecure',
  'store',
  'unpack',
  'name-canonical',
  'dangling-name-prefix',
  ...FORMAT_ATTRIBUTES,
] as const

/** Under which names an image is kept and pushed. */
interface Naming {
  /** As the attribute gives them. */
  readonly own: string | undefined
  readonly byDigest: boolean
  readonly canonical: boolean
  /** What the digest is put behind when there is no name. */
  readonly prefix: string | undefined
}

function imageExporter(type: OutputSpec['type'] & ('image' | 'registry')): Exporter {
  return {
    type,
    attributes: ATTRIBUTES,
    parse(values) {
      const attrs = new Attributes(type, ATTRIBUTES, values)
      const push = attrs.flag('push', type === 'registry')
      const store = attrs.flag('store', type === 'image')
      const naming = readNaming(attrs)
      const insecure = attrs.flag('registry.insecure', false)
      const format = attrs.format('oci')
      if (attrs.flag('unpack', false))
        attrs.warnings.push('unpack has no effect: images are unpacked when they are used')
      if (naming.byDigest && !push) attrs.warnings.push('push-by-digest has no effect without push=true')
      if (insecure && !push) attrs.warnings.push('registry.insecure has no effect without push=true')
      if (naming.canonical && !store) attrs.warnings.push('name-canonical has no effect without store=true')
      return {
        type,
        title: 'exporting to image',
        warnings: attrs.warnings,
        epoch: format.epoch,
        annotations: format.annotations,
        pushByDigest: naming.byDigest,
        pushesTo: (tags) => (push ? givenNames(naming, tags).map(withoutTag) : []),
        async export(context) {
          if (push && naming.prefix === undefined && naming.own === undefined && context.tags.length === 0)
            throw exportErrors.outputInvalid(['tag is needed when pushing to registry'], {
              hint: 'name the image with --tag HOST/NAME:TAG',
            })
          const built = await context.images(format)
          const names = namesOf(naming, built, context)
          if (store) {
            await context.complete()
            await storeNames(names, naming, built, context)
          }
          if (push) await pushAll(names, built, context, { insecure, byDigest: naming.byDigest })
          const { digest } = built.descriptor
          return { type, names: names.map((name) => withDigest(name, digest)) }
        },
      }
    },
  }
}

function readNaming(attrs: Attributes<(typeof ATTRIBUTES)[number]>): Naming {
  const byDigest = attrs.flag('push-by-digest', false)
  const own = attrs.text('name') || undefined
  // Found before the build.
  if (byDigest) bareNames(own)
  else normalizedNames(own)
  const prefix = attrs.text('dangling-name-prefix') || undefined
  return {
    own,
    byDigest,
    canonical: attrs.flag('name-canonical', false),
    prefix: prefix && formatReference(parseReference(prefix)),
  }
}

function givenNames({ own, byDigest }: Naming, tags: readonly string[]): string[] {
  return byDigest ? [...bareNames(own), ...tags.map(withoutTag)] : [...normalizedNames(own), ...tags]
}

function namesOf(naming: Naming, built: BuiltImages, { tags }: ExportContext): string[] {
  const { prefix } = naming
  const given = givenNames(naming, tags)
  if (given.length === 0 && prefix !== undefined) return [withDigest(prefix, built.descriptor.digest)]
  return [...new Set(given)]
}

async function storeNames(
  names: readonly string[],
  { byDigest, canonical }: Naming,
  { descriptor }: BuiltImages,
  { store, now }: ExportContext,
): Promise<void> {
  for (const name of names) {
    // Without a tag there is nothing but the digest to be called by.
    if (!byDigest) await store.images.tag(name, descriptor, now())
    if (byDigest || canonical) await store.images.tag(withDigest(name, descriptor.digest), descriptor, now())
  }
}

function withoutTag(name: string): string {
  const { registry, repository } = parseReference(name)
  return formatReference({ registry, repository })
}

function withDigest(name: string, digest: string): string {
  return name.includes('@') ? name : `${name}@${digest}`
}

/** Pushes once to each repository, under all the names that it is given there. */
async function pushAll(
  names: readonly string[],
  { descriptor: image }: BuiltImages,
  context: ExportContext,
  { insecure, byDigest }: { readonly insecure: boolean; readonly byDigest: boolean },
): Promise<void> {
  const { signal, mountFrom, source } = context
  for (const [repository, group] of Map.groupBy(names, withoutTag)) {
    // A name with a digest in it is not given to anything: it is that of the content.
    const tags = byDigest
      ? []
      : group.flatMap((name) => parseReference(name).tag ?? (name.includes('@') ? [] : 'latest'))
    try {
      await copy(source, image, context.repository(repository, { insecure }), tags, {
        signal,
        mountFrom,
        nondistributable: true,
        onProgress: ({ descriptor, transferred }) =>
          context.progress(`pushing ${descriptor.digest}`, transferred, descriptor.size),
      })
    } catch (error) {
      if (!isRegistryError(error) || signal.aborted) throw error
      throw exportErrors.pushFailed([group.join(', '), error.message], { cause: error, hint: error.hint })
    }
  }
}

export const storeExporter = imageExporter('image')
export const registryExporter = imageExporter('registry')
