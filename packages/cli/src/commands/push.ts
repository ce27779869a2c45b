/** `tsbuild push`. */
import type { OpenedImages } from '@tsbuild/builder'
import { defineCommand } from '../command.ts'
import { CommandError } from '../command-error.ts'
import { EXIT } from '../exit-codes.ts'
import { write } from '../io.ts'
import { openSourceStore } from '../library.ts'
import { openRegistry } from '../registry.ts'
import { EXTRA_FLAGS, extraOptions, TRANSFER_FLAGS, transfer } from '../transfer.ts'

export const command = defineCommand({
  name: 'push',
  usage: ['push [FLAGS] NAME [NAME…]'],
  description: 'Pushes images of the local store under their names and prints each digest on stdout.',
  arity: { min: 1 },
  flags: [
    { name: 'all-tags', alias: 'a', type: 'boolean', help: 'Push every tag that the store has of the repository NAME' },
    ...EXTRA_FLAGS,
    ...TRANSFER_FLAGS,
  ],
  examples: [
    { text: 'Push an image that was built as this name', command: 'tsbuild push registry.example/team/my-app:1.0' },
    {
      text: 'Give it a name first',
      command: 'tsbuild tag my-app:1.0 registry.example/my-app:1.0 && tsbuild push registry.example/my-app:1.0',
    },
  ],
  async run({ values, words }, context) {
    const { formatReference, parseReference, withDefaultTag } = await import('@tsbuild/registry-client')
    await using store = await openSourceStore(context)
    await using client = await openRegistry(context, values['allow-nondistributable'])
    const names = values['all-tags'] ? await tagsOf(words, store) : words
    for (const word of names) {
      const reference = withDefaultTag(parseReference(word))
      const name = formatReference(reference)
      const target = client.repository(reference)
      const tags = reference.tag === undefined ? [] : [reference.tag]
      const { descriptor } = await transfer(
        {
          title: `push ${name}`,
          source: store.images,
          reference: name,
          target,
          tags,
          options: extraOptions(values),
        },
        values,
        context,
      )
      await write(context.io.stdout, `${descriptor.digest}\n`)
    }
    return EXIT.ok
  },
})

/** Every name that the store has in some repositories. */
async function tagsOf(words: readonly string[], { images }: OpenedImages): Promise<string[]> {
  const { repositoryOf } = await import('../all-tags.ts')
  const known = await images.list()
  return words.flatMap((word) => {
    const repository = repositoryOf(word)
    const names = known.map(({ name }) => name).filter((name) => name.startsWith(`${repository}:`))
    if (names.length === 0) throw new CommandError(`the store has no image of ${repository}`)
    return names
  })
}
