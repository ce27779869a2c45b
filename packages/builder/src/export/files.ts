/** `type=local` and `type=tar`: the root filesystem itself. */
import { createReadStream } from 'node:fs'
import type { OutputSpec } from '../options.ts'
import { makeDirectorySync } from '../util/make-directory.ts'
import { outputError, writeBytes } from './atomic.ts'
import { Attributes } from './attrs.ts'
import type { ExportContext, Exporter } from './exporter.ts'

const ATTRIBUTES = ['dest', 'platform-split', 'source-date-epoch'] as const

function rootfsExporter(type: OutputSpec['type'] & ('local' | 'tar')): Exporter {
  return {
    type,
    attributes: ATTRIBUTES,
    parse(values) {
      const attrs = new Attributes(type, ATTRIBUTES, values)
      const dest = type === 'local' ? attrs.required('dest') : (attrs.text('dest') ?? '-')
      const options = { split: attrs.optionalFlag('platform-split'), epoch: attrs.epoch() }
      return {
        type,
        title: type === 'local' ? 'exporting to client directory' : 'exporting to client tarball',
        warnings: attrs.warnings,
        epoch: options.epoch,
        annotations: undefined,
        pushByDigest: false,
        async export(context) {
          await writeFiles({ type, dest }, (to, format) => context.writeRootfs(to, format, options), context)
          return { type, dest }
        },
      }
    },
  }
}

/** Writes files into a directory, or as a tar file; `write` puts them there. */
export async function writeFiles(
  { type, dest }: { readonly type: 'local' | 'tar'; readonly dest: string },
  write: (dest: string, format: 'directory' | 'tar') => Promise<void>,
  context: Pick<ExportContext, 'store' | 'stdout' | 'signal'>,
): Promise<void> {
  if (type === 'local') {
    // Made here, where what is in the way can be told from what fails inside it.
    try {
      makeDirectorySync(dest)
    } catch (error) {
      throw outputError(dest, error, context.signal)
    }
    await write(dest, 'directory')
    return
  }
  await using file = context.store.blobs.temporaryFile('export')
  await write(file.path, 'tar')
  await writeBytes(dest, createReadStream(file.path, { highWaterMark: 1 << 20 }), context)
}

export const localExporter = rootfsExporter('local')
export const tarExporter = rootfsExporter('tar')
