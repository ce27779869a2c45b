/** `tsbuild images`. */
import { type CommandContext, defineCommand } from '../command.ts'
import { EXIT } from '../exit-codes.ts'
import { write } from '../io.ts'
import { openStore } from '../library.ts'
import { formatBytes } from '../progress/format.ts'
import { formatAge, renderTable, shortDigest } from '../table.ts'

export const command = defineCommand({
  name: 'images',
  usage: ['images [FLAGS] [NAME]'],
  description: 'NAME shows only the images of that repository, or of that name and tag.',
  arity: { min: 0, max: 1 },
  flags: [
    { name: 'quiet', alias: 'q', type: 'boolean', help: 'Print digests only' },
    {
      name: 'format',
      type: 'string',
      value: 'FORMAT',
      choices: ['table', 'json'],
      help: 'table or json (default table)',
    },
  ],
  examples: [
    { text: 'List all images', command: 'tsbuild images' },
    { text: 'The digest of one image', command: 'tsbuild images -q my-app:1.0' },
    { text: 'For other programs', command: 'tsbuild images --format json' },
  ],
  async run({ values, words }, context) {
    const images = await listImages(words[0], context)
    await write(context.io.stdout, show(images, values.quiet ? 'quiet' : values.format === 'json' ? 'json' : 'table'))
    return EXIT.ok
  },
})

interface ImageRow {
  readonly name: string
  readonly digest: string
  readonly mediaType: string
  readonly platforms: readonly string[]
  /** Bytes of the compressed layers, each counted once. */
  readonly size: number
  /** RFC 3339. */
  readonly tagged?: string
}

async function listImages(filter: string | undefined, context: CommandContext): Promise<ImageRow[]> {
  const { inspectImage } = await import('../image-reader.ts')
  await using store = await openStore(context, 'read')
  const rows: ImageRow[] = []
  for (const { name, descriptor, tagged } of await store.images.list()) {
    if (filter !== undefined && !matches(name, filter)) continue
    const fetched = await store.images.fetchManifest(descriptor)
    const { images } = await inspectImage(store.images, name, fetched, context.signal)
    const layers = new Map(images.flatMap((image) => image.layers).map((layer) => [layer.digest, layer.size]))
    rows.push({
      name,
      digest: descriptor.digest,
      mediaType: descriptor.mediaType,
      platforms: images.map((image) => image.platform),
      size: [...layers.values()].reduce((sum, size) => sum + size, 0),
      ...(tagged === undefined ? {} : { tagged: new Date(tagged).toISOString() }),
    })
  }
  return rows
}

function show(images: readonly ImageRow[], format: 'quiet' | 'json' | 'table'): string {
  if (format === 'json') return `${JSON.stringify(images, null, 2)}\n`
  if (format === 'quiet') return [...new Set(images.map((image) => `${image.digest}\n`))].join('')
  const now = Date.now()
  const rows = images.map((image) => [
    image.name,
    shortDigest(image.digest),
    image.platforms.join(','),
    formatBytes(image.size),
    image.tagged === undefined ? '' : formatAge(Date.parse(image.tagged), now),
  ])
  return renderTable(['NAME', 'DIGEST', 'PLATFORM', 'SIZE', 'TAGGED'], rows)
}

/** Names are shown in full, and may be asked for without what docker.io adds to them. */
function matches(name: string, filter: string): boolean {
  const forms = [name, name.replace(/^docker\.io\//, ''), name.replace(/^docker\.io\/library\//, '')]
  return forms.some((form) => form === filter || form.replace(/:[^:/]*$/, '') === filter)
}
