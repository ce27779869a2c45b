/** `type=oci` and `type=docker`: an image layout as a tar file, on stdout, or as a directory (`tar=false`). */
import { copy, ImageArchive, OciLayout } from '@tsbuild/registry-client'
import type { OutputSpec } from '../options.ts'
import { outputError, writeOutput } from './atomic.ts'
import { Attributes, exportErrors, FORMAT_ATTRIBUTES } from './attrs.ts'
import type { Exporter } from './exporter.ts'
import { normalizedNames } from './names.ts'

const ATTRIBUTES = ['dest', 'name', 'tar', ...FORMAT_ATTRIBUTES] as const

function layoutExporter(type: OutputSpec['type'] & ('oci' | 'docker')): Exporter {
  return {
    type,
    attributes: ATTRIBUTES,
    parse(values) {
      const attrs = new Attributes(type, ATTRIBUTES, values)
      const tar = attrs.flag('tar', true)
      const dest = attrs.text('dest') ?? (tar ? '-' : '')
      const names = normalizedNames(attrs.text('name'))
      const format = attrs.format(type === 'docker' ? 'docker' : 'oci')
      if (!tar && (dest === '' || dest === '-'))
        throw exportErrors.outputInvalid([`dest is required for ${type} exporter with tar=false`])
      return {
        type,
        title: `exporting to ${type === 'docker' ? 'docker image' : 'oci image'} format`,
        warnings: attrs.warnings,
        epoch: format.epoch,
        annotations: format.annotations,
        pushByDigest: false,
        async export(context) {
          const built = await context.images(format)
          // What turns out to be lost does so before anything is written.
          await context.complete()
          const all = [...names, ...context.tags]
          const options = {
            signal: context.signal,
            annotations: { ...built.descriptor.annotations, 'org.opencontainers.image.created': built.created },
            // What is exported is whole, whatever may be given to whom.
            nondistributable: true,
          }
          if (tar)
            await writeOutput(dest, context, async (place) => {
              await using archive = await ImageArchive.create(place, { format: type, names: 'image', indexes: true })
              await copy(context.source, built.descriptor, archive, all, options)
              await archive.finish()
            })
          else
            try {
              const layout = await OciLayout.create(dest, { names: 'image', shared: true })
              await copy(context.source, built.descriptor, layout, all, options)
            } catch (error) {
              throw outputError(dest, error, context.signal)
            }
          return { type, dest }
        },
      }
    },
  }
}

export const ociExporter = layoutExporter('oci')
export const dockerExporter = layoutExporter('docker')
