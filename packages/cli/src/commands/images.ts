/** `tsbuild images`. */
import { type CommandContext, defineCommand } from '../command.ts'
import { EXIT } from '../exit-codes.ts'
import { parseFormat, renderRows } from '../format/rows.ts'
import type { ListedImage } from '../images/rows.ts'
import { write } from '../io.ts'
import { openStore } from '../library.ts'
import { formatBytes } from '../progress/format.ts'
import { formatAge, renderTable, shortDigest } from '../table.ts'

export const command = defineCommand({
  name: 'images',
  usage: ['images [FLAGS] [NAME]'],
  description:
    'NAME shows only the images of that repository, or of that name and tag. Sizes are those of the compressed layers.',
  arity: { min: 0, max: 1 },
  flags: [
    { name: 'all', alias: 'a', type: 'boolean', help: 'Show all images (the default: there are none without a name)' },
    { name: 'digests', type: 'boolean', help: 'Show digests in full' },
    { name: 'no-trunc', type: 'boolean', help: 'Show digests and ids in full' },
    {
      name: 'filter',
      alias: 'f',
      type: 'list',
      value: 'KEY=VALUE',
      help: 'Only images that fit: reference=PATTERN, label=KEY[=VALUE], before=NAME, since=NAME, until=TIME, dangling=BOOL (repeatable)',
    },
    { name: 'quiet', alias: 'q', type: 'boolean', help: 'Print digests only' },
    {
      name: 'format',
      type: 'string',
      value: 'FORMAT',
      help: "table, json, or a Go template such as 'table {{.Repository}}\\t{{.Tag}}\\t{{.ID}}' (default table)",
    },
  ],
  examples: [
    { text: 'List all images', command: 'tsbuild images' },
    { text: 'The digest of one image', command: 'tsbuild images -q my-app:1.0' },
    { text: 'For other programs', command: 'tsbuild images --format json' },
    { text: 'As docker shows them', command: "tsbuild images --format 'table {{.Repository}}\\t{{.Tag}}\\t{{.ID}}'" },
  ],
  async run({ values, words }, context) {
    const format = parseFormat(values.format)
    const { images, rows } = await listImages(words[0], values.filter ?? [], context)
    const full = values['no-trunc'] === true
    await write(context.io.stdout, values.quiet ? digests(images) : await show(images, rows, format, values, full))
    return EXIT.ok
  },
})

type Rows = typeof import('../images/rows.ts')

async function listImages(
  name: string | undefined,
  filters: readonly string[],
  context: CommandContext,
): Promise<{ images: readonly ListedImage[]; rows: Rows }> {
  const [{ inspectImage }, rows, { imageFilter }] = await Promise.all([
    import('../image-reader.ts'),
    import('../images/rows.ts'),
    import('../images/filter.ts'),
  ])
  await using store = await openStore(context, 'read')
  const { signal } = context
  const look = async (reference: string): Promise<ListedImage> => {
    const fetched = await store.images.fetchManifest(reference)
    return rows.listedImage(await inspectImage(store.images, reference, fetched, signal), undefined)
  }
  const fits = await imageFilter(filters, look, Date.now())
  const images: ListedImage[] = []
  for (const { name: full, descriptor, tagged } of await store.images.list()) {
    if (name !== undefined && !matches(full, name)) continue
    const inspection = await inspectImage(store.images, full, await store.images.fetchManifest(descriptor), signal)
    const image = rows.listedImage(inspection, tagged)
    if (fits(image)) images.push(image)
  }
  return { images, rows }
}

const digests = (images: readonly ListedImage[]): string =>
  [...new Set(images.map(({ image }) => `${image.digest}\n`))].join('')

async function show(
  images: readonly ListedImage[],
  { IMAGE_HEADS, imageRow }: Rows,
  format: ReturnType<typeof parseFormat>,
  { digests }: { readonly digests?: boolean },
  full: boolean,
): Promise<string> {
  if (format.kind === 'json')
    return `${JSON.stringify(
      images.map(({ image }) => image),
      null,
      2,
    )}\n`
  const now = Date.now()
  if (format.kind === 'template')
    return renderRows(
      images.map((image) => imageRow(image, !full, now)),
      format.text,
      IMAGE_HEADS,
    )
  const rows = images.map(({ image }) => [
    image.name,
    full || digests ? image.digest : shortDigest(image.digest),
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
