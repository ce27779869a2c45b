/** `type=local` and `type=tar`: the root filesystem itself. */
import { createReadStream } from 'node:fs'
import type { OutputSpec } from '../options.ts'
import { writeOutput } from './atomic.ts'
import { Attributes } from './attrs.ts'
import type { Exporter } from './exporter.ts'

function rootfsExporter(type: OutputSpec['type'] & ('local' | 'tar')): Exporter {
  return {
    type,
    parse(values) {
      const attrs = new Attributes(type, values)
      const dest = type === 'local' ? attrs.required('dest') : (attrs.text('dest') ?? '-')
      attrs.text('source-date-epoch')
      attrs.flag('platform-split', true)
      attrs.finish()
      return {
        type,
        title: type === 'local' ? 'exporting to client directory' : 'exporting to client tarball',
        async export(context) {
          if (type === 'local') {
            await context.writeRootfs(dest, 'directory')
            return { type, dest }
          }
          await using file = context.store.blobs.temporaryFile('export')
          await context.writeRootfs(file.path, 'tar')
          await writeOutput(
            dest,
            createReadStream(file.path, { highWaterMark: 1 << 20 }),
            context.stdout,
            context.signal,
          )
          return { type, dest }
        },
      }
    },
  }
}

export const localExporter = rootfsExporter('local')
export const tarExporter = rootfsExporter('tar')
