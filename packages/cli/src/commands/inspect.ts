/** `tsbuild inspect`. */
import { type CommandContext, defineCommand } from '../command.ts'
import { EXIT } from '../exit-codes.ts'
import { write } from '../io.ts'
import { isUnknownImage, openStore } from '../library.ts'
import { openRegistry } from '../registry.ts'
import { type Inspection, renderInspection } from '../render-inspection.ts'
import { UsageError } from '../usage-error.ts'

export const command = defineCommand({
  name: 'inspect',
  usage: ['inspect [FLAGS] IMAGE'],
  description: 'Looks in the local store, and in the registry when the image is not there (or with --remote).',
  arity: { min: 1, max: 1 },
  flags: [
    { name: 'raw', type: 'boolean', help: 'Print the bytes of the manifest or index as they are' },
    { name: 'format', type: 'string', value: 'FORMAT', choices: ['text', 'json'], help: 'text or json (default text)' },
    {
      name: 'platform',
      type: 'string',
      value: 'OS/ARCH[/VARIANT]',
      help: 'Show the image of this platform of an index',
    },
    { name: 'remote', type: 'boolean', help: 'Ask the registry even when the local store has the image' },
  ],
  examples: [
    { text: 'Show an image', command: 'tsbuild inspect my-app:1.0' },
    { text: 'Its manifest and config as JSON', command: 'tsbuild inspect --format json my-app:1.0' },
    { text: 'The digest of a manifest, computed again', command: 'tsbuild inspect --raw my-app:1.0 | sha256sum' },
  ],
  async run({ values, words }, context) {
    if (values.raw && values.format) throw new UsageError('--raw and --format cannot be used together')
    const inspection = await inspect(words[0]!, values, context)
    const { stdout } = context.io
    if (values.raw) await write(stdout, inspection.bytes)
    else if (values.format === 'json') await write(stdout, `${JSON.stringify(toJson(inspection), null, 2)}\n`)
    else await write(stdout, renderInspection(inspection))
    return EXIT.ok
  },
})

/** From the local store, else from the registry. */
async function inspect(
  name: string,
  { platform, remote }: { readonly platform?: string; readonly remote?: boolean },
  context: CommandContext,
): Promise<Inspection> {
  const { inspectImage, readManifest } = await import('../image-reader.ts')
  const { signal } = context
  if (!remote) {
    await using store = await openStore(context, 'read')
    try {
      return await inspectImage(store.images, name, await readManifest(store.images, name, platform, signal), signal)
    } catch (error) {
      if (!isUnknownImage(error)) throw error
    }
  }
  await using client = await openRegistry(context)
  const repository = client.repository(name)
  const fetched = await readManifest(repository, repository.defaultReference, platform, signal)
  return await inspectImage(repository, name, fetched, signal)
}

function toJson({ bytes, ...rest }: Inspection): object {
  return { ...rest, manifest: JSON.parse(bytes.toString('utf8')) }
}
