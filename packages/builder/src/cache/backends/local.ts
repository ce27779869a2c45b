/** `type=local`: a cache as an image in a directory, an OCI image layout. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { isDigest, isTag, lockFile, makeDirectory, OciLayout, selfVerifying } from '@tsbuild/registry-client'
import type { AttributeReader } from '../../util/attributes.ts'
import { hasCode } from '../../util/has-code.ts'
import { exportAttributes, importAttributes } from '../attributes.ts'
import type { CacheBackend, CacheExporter, CacheImporter, CacheServices } from '../backend.ts'
import { type DocumentCodec, PLAIN } from '../codec.ts'
import { cacheErrors, forCache } from '../errors.ts'
import { FORM_ATTRIBUTES, formOf, type ImageForm, readCaches } from './image-form.ts'
import { removeUnreachable } from './local-reset.ts'
import { saveImage } from './save-image.ts'

export const localBackend: CacheBackend = {
  from(values) {
    const ofExport = ['dest', 'reset', ...FORM_ATTRIBUTES]
    const attrs = importAttributes('local', values, ['src', 'tag', 'digest'], ofExport)
    const directory = attrs.required('src')
    const digest = attrs.text('digest') || undefined
    if (digest !== undefined && !isDigest(digest)) attrs.fail(`invalid digest ${JSON.stringify(digest)}`)
    const reference = digest ?? tagOf(attrs)
    const mounts = attrs.flag('mounts', true)
    const open = async ({ codec = PLAIN }: CacheServices) => openImporter(directory, reference, codec)
    return { type: 'local', name: nameOf(directory), warnings: attrs.warnings, mounts, open }
  },
  to(values) {
    const { attrs, common } = exportAttributes(
      'local',
      values,
      ['dest', 'tag', 'reset', ...FORM_ATTRIBUTES],
      ['src', 'digest'],
    )
    const directory = attrs.required('dest')
    const how = { tag: tagOf(attrs), form: formOf(attrs), reset: attrs.flag('reset', false) }
    const open = async ({ codec = PLAIN }: CacheServices) => openExporter(directory, { ...how, codec })
    return { ...common, name: nameOf(directory), open }
  },
}

function tagOf(attrs: AttributeReader<'tag'>): string {
  const tag = attrs.text('tag') || 'latest'
  return isTag(tag) ? tag : attrs.fail(`invalid tag ${JSON.stringify(tag)}`)
}

function nameOf(directory: string): string {
  return `local ${directory}`
}

function openImporter(directory: string, reference: string, codec: DocumentCodec): CacheImporter {
  const name = nameOf(directory)
  return {
    name,
    repository: undefined,
    load: ({ signal }) =>
      forCache(cacheErrors.unusable, name, signal, async () => {
        if (await isEmpty(directory)) return { documents: [], foreign: undefined }
        await using layout = await OciLayout.open(directory, { signal })
        return await readCaches(layout, reference, signal, codec)
      }),
    openBlob(descriptor, options) {
      async function* chunks() {
        await using layout = await OciLayout.open(directory, { signal: options.signal })
        yield* layout.openBlob(descriptor, options)
      }
      return selfVerifying(chunks(), descriptor.digest)
    },
    async [Symbol.asyncDispose]() {},
  }
}

/** Also what is not there. */
async function isEmpty(directory: string): Promise<boolean> {
  try {
    return (await readdir(directory)).length === 0
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return true
    throw error
  }
}

function openExporter(
  directory: string,
  {
    reset,
    ...how
  }: { readonly tag: string; readonly form: ImageForm; readonly codec: DocumentCodec; readonly reset: boolean },
): CacheExporter {
  const name = nameOf(directory)
  return {
    name,
    save: (document, open, options) =>
      forCache(cacheErrors.notExported, name, options.signal, async () => {
        await makeDirectory(directory)
        // One writer at a time: so nothing is lost, and nothing deleted that another one is about to name.
        await using _alone = await lockFile(join(directory, 'index.json.cache.lock'), options.signal)
        await using target = await OciLayout.create(directory, { shared: true })
        const place = { ...how, name, target, replace: reset, settleMs: undefined }
        const saved = await saveImage(place, document, open, options)
        if (reset) await removeUnreachable(directory, target)
        return saved
      }),
    async [Symbol.asyncDispose]() {},
  }
}
