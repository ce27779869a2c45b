/** `type=image` and `type=registry`: names in the local store, and images pushed to registries. */
import { BuildError } from '../errors.ts'
import type { OutputSpec } from '../options.ts'
import { Attributes, exportErrors } from './attrs.ts'
import type { BuiltImages, ExportContext, Exporter } from './exporter.ts'
import { normalizedNames } from './names.ts'
import { pushImage } from './push.ts'

function imageExporter(type: OutputSpec['type'] & ('image' | 'registry')): Exporter {
  return {
    type,
    parse(values) {
      const attrs = new Attributes(type, values)
      const own = normalizedNames(attrs.text('name'))
      const push = attrs.flag('push', type === 'registry')
      const store = attrs.flag('store', type === 'image')
      attrs.flag('unpack', false)
      const format = attrs.format('oci')
      attrs.finish()
      return {
        type,
        title: 'exporting to image',
        async export(context) {
          const names = [...new Set([...own, ...context.tags])]
          if (push && names.length === 0)
            throw exportErrors.outputInvalid(['tag is needed when pushing to registry'], {
              hint: 'name the image with --tag HOST/NAME:TAG',
            })
          const built = await context.images(format)
          await context.complete()
          if (store) for (const name of names) await context.store.images.tag(name, built.descriptor, context.now())
          if (push) await pushAll(names, built, context)
          return { type, names: names.map((name) => `${name}@${built.descriptor.digest}`) }
        },
      }
    },
  }
}

async function pushAll(names: readonly string[], built: BuiltImages, context: ExportContext): Promise<void> {
  for (const name of names) {
    try {
      await pushImage(name, built, context)
    } catch (error) {
      if (error instanceof BuildError || context.signal.aborted) throw error
      const { message, hint } = error as Error & { hint?: string }
      throw exportErrors.pushFailed([name, message], { cause: error, hint })
    }
  }
}

export const storeExporter = imageExporter('image')
export const registryExporter = imageExporter('registry')
