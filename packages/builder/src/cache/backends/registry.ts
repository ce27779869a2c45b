/** `type=registry`: a cache as an image in a registry. Importing takes any image, which may have a cache in its config. */
import {
  formatReference,
  isRegistryError,
  parseReference,
  type Reference,
  withDefaultTag,
} from '@tsbuild/registry-client'
import type { AttributeReader } from '../../util/attributes.ts'
import { exportAttributes, importAttributes } from '../attributes.ts'
import type { CacheBackend, CacheExporter, CacheImporter, CacheServices } from '../backend.ts'
import { PLAIN } from '../codec.ts'
import { cacheErrors, forCache } from '../errors.ts'
import { FORM_ATTRIBUTES, formOf, type ImageForm, readCaches } from './image-form.ts'
import { saveImage } from './save-image.ts'

const ATTRIBUTES = ['ref', 'registry.insecure'] as const
/** See {@link saveImage}; longer than registries take for two small requests. */
const SETTLE_MS = 2000

export const registryBackend: CacheBackend = {
  from(values) {
    const attrs = importAttributes('registry', values, ATTRIBUTES, FORM_ATTRIBUTES)
    const place = placeOf(attrs)
    const { type, name, warnings } = { type: 'registry', name: place.name, warnings: attrs.warnings }
    const mounts = attrs.flag('mounts', true)
    return { type, name, warnings, mounts, open: async (services) => openImporter(place, services) }
  },
  to(values) {
    const { attrs, common } = exportAttributes('registry', values, [...ATTRIBUTES, ...FORM_ATTRIBUTES])
    const place = placeOf(attrs)
    if (place.reference.digest !== undefined)
      attrs.fail('ref has a digest, which nothing can be written to', 'name a tag for the cache')
    const form = formOf(attrs)
    const { name } = place
    return { ...common, name, open: async (services) => openRegistryExporter({ ...place, form }, services) }
  },
}

interface Place {
  readonly name: string
  readonly reference: Reference
  readonly insecure: boolean
}

function placeOf(attrs: AttributeReader<(typeof ATTRIBUTES)[number]>): Place {
  const text = attrs.required('ref')
  try {
    const reference = withDefaultTag(parseReference(text))
    const name = `registry ${formatReference(reference)}`
    return { name, reference, insecure: attrs.flag('registry.insecure', false) }
  } catch (error) {
    if (!isRegistryError(error)) throw error
    return attrs.fail(error.message, error.hint)
  }
}

function openImporter({ name, reference, insecure }: Place, services: CacheServices): CacheImporter {
  const repository = services.repository(formatReference(reference), { insecure })
  return {
    name,
    repository: repository.name,
    load: ({ signal }) =>
      forCache(cacheErrors.unusable, name, signal, () =>
        readCaches(repository, repository.defaultReference, signal, services.codec ?? PLAIN),
      ),
    openBlob: (descriptor, options) => repository.openBlob(descriptor, options),
    async [Symbol.asyncDispose]() {},
  }
}

/** @param settleMs for tests; see {@link saveImage} */
export function openRegistryExporter(
  { name, reference, insecure, form }: Place & { readonly form: ImageForm },
  services: CacheServices,
  settleMs = SETTLE_MS,
): CacheExporter {
  const target = services.repository(formatReference(reference), { insecure })
  const { codec = PLAIN } = services
  const place = { name, target, tag: target.defaultReference, form, codec, replace: false, settleMs }
  return {
    name,
    save: (document, open, options) =>
      forCache(cacheErrors.notExported, name, options.signal, () => saveImage(place, document, open, options)),
    async [Symbol.asyncDispose]() {},
  }
}
