/** `type=local` and `type=tar`: the root filesystem itself. */
import { createReadStream } from 'node:fs'
import type { OutputSpec } from '../options.ts'
import { writeOutput } from './atomic.ts'
import { Attributes } from './attrs.ts'
import type { ExportContext, Exporter } from './exporter.ts'

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
          await writeFiles({ type, dest }, (to, format) => context.writeRootfs(to, format), context)
          return { type, dest }
        },
      }
    },
  }
}

/** Writes files into a directory, or as a tar file; `write` puts them there. */
export async function writeFiles(
  { type, dest }: { readonly type: 'local' | 'tar'; readonly dest: string },
  write: ExportContext['writeRootfs'],
  { store, stdout, signal }: Pick<ExportContext, 'store' | 'stdout' | 'signal'>,
): Promise<void> {
  if (type === 'local') {
    await write(dest, 'directory')
    return
  }
  await using file = store.blobs.temporaryFile('export')
  await write(file.path, 'tar')
  await writeOutput(dest, createReadStream(file.path, { highWaterMark: 1 << 20 }), stdout, signal)
}

export const localExporter = rootfsExporter('local')
export const tarExporter = rootfsExporter('tar')
