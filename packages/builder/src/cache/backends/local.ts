/** `type=local`: a cache as an image in a directory, an OCI image layout. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { isDigest, isTag, lockFile, makeDirectory, OciLayout, selfVerifying } from '@tsbuild/registry-client'
import type { AttributeReader } from '../../util/attributes.ts'
import { hasCode } from '../../util/has-code.ts'
import { exportAttributes, importAttributes } from '../attributes.ts'
import type { CacheBackend, CacheExporter, CacheImporter } from '../backend.ts'
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
    const importer = openImporter(directory, digest ?? tagOf(attrs))
    const { name } = importer
    const mounts = attrs.flag('mounts', true)
    return { type: 'local', name, warnings: attrs.warnings, mounts, open: async () => importer }
  },
  to(values) {
    const { attrs, common } = exportAttributes(
      'local',
      values,
      ['dest', 'tag', 'reset', ...FORM_ATTRIBUTES],
      ['src', 'digest'],
    )
    const exporter = openExporter(attrs.required('dest'), {
      tag: tagOf(attrs),
      form: formOf(attrs),
      reset: attrs.flag('reset', false),
    })
    return { ...common, name: exporter.name, open: async () => exporter }
  },
}

function tagOf(attrs: AttributeReader<'tag'>): string {
  const tag = attrs.text('tag') || 'latest'
  return isTag(tag) ? tag : attrs.fail(`invalid tag ${JSON.stringify(tag)}`)
}

function openImporter(directory: string, reference: string): CacheImporter {
  const name = `local ${directory}`
  return {
    name,
    repository: undefined,
    load: ({ signal }) =>
      forCache(cacheErrors.unusable, name, signal, async () => {
        if (await isEmpty(directory)) return { documents: [], foreign: undefined }
        await using layout = await OciLayout.open(directory, { signal })
        return await readCaches(layout, reference, signal)
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
  { tag, form, reset }: { readonly tag: string; readonly form: ImageForm; readonly reset: boolean },
): CacheExporter {
  const name = `local ${directory}`
  return {
    name,
    save: (document, open, options) =>
      forCache(cacheErrors.notExported, name, options.signal, async () => {
        await makeDirectory(directory)
        // One writer at a time: so nothing is lost, and nothing deleted that another one is about to name.
        await using _alone = await lockFile(join(directory, 'index.json.cache.lock'), options.signal)
        await using target = await OciLayout.create(directory, { shared: true })
        const place = { name, target, tag, form, replace: reset, settleMs: undefined }
        const saved = await saveImage(place, document, open, options)
        if (reset) await removeUnreachable(directory, target)
        return saved
      }),
    async [Symbol.asyncDispose]() {},
  }
}
