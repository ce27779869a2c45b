/** `tsbuild images`. */
import { defineCommand } from '../command.ts'
import { EXIT } from '../exit-codes.ts'
import { write } from '../io.ts'
import { loadImages, storeOptions } from '../library.ts'
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
    const library = await loadImages()
    const filter = words[0]
    const all = await library.images(storeOptions(context))
    const images = filter === undefined ? all : all.filter(({ name }) => matches(name, filter))
    await write(context.io.stdout, show(images, values.quiet ? 'quiet' : values.format === 'json' ? 'json' : 'table'))
    return EXIT.ok
  },
})

type Images = Awaited<ReturnType<Awaited<ReturnType<typeof loadImages>>['images']>>

function show(images: Images, format: 'quiet' | 'json' | 'table'): string {
  if (format === 'json') return `${JSON.stringify(images, null, 2)}\n`
  if (format === 'quiet') return [...new Set(images.map((image) => `${image.digest}\n`))].join('')
  const now = Date.now()
  const rows = images.map((image) => [
    image.name,
    shortDigest(image.digest),
    image.platforms.join(','),
    formatBytes(image.size),
    image.tagged === undefined ? '' : formatAge(image.tagged, now),
  ])
  return renderTable(['NAME', 'DIGEST', 'PLATFORM', 'SIZE', 'TAGGED'], rows)
}

/** Names are shown in full, and may be asked for without what docker.io adds to them. */
function matches(name: string, filter: string): boolean {
  const forms = [name, name.replace(/^docker\.io\//, ''), name.replace(/^docker\.io\/library\//, '')]
  return forms.some((form) => form === filter || form.replace(/:[^:/]*$/, '') === filter)
}
