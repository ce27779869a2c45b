/** `tsbuild push`. */
import { defineCommand } from '../command.ts'
import { EXIT } from '../exit-codes.ts'
import { write } from '../io.ts'
import { openStore } from '../library.ts'
import { openRegistry } from '../registry.ts'
import { EXTRA_FLAGS, extraOptions, TRANSFER_FLAGS, transfer } from '../transfer.ts'

export const command = defineCommand({
  name: 'push',
  usage: ['push [FLAGS] NAME [NAME…]'],
  description: 'Pushes images of the local store under their names and prints each digest on stdout.',
  arity: { min: 1 },
  flags: [...EXTRA_FLAGS, ...TRANSFER_FLAGS],
  examples: [
    { text: 'Push an image that was built as this name', command: 'tsbuild push registry.example/team/my-app:1.0' },
    {
      text: 'Give it a name first',
      command: 'tsbuild tag my-app:1.0 registry.example/my-app:1.0 && tsbuild push registry.example/my-app:1.0',
    },
  ],
  async run({ values, words }, context) {
    const { formatReference, parseReference, withDefaultTag } = await import('@tsbuild/registry-client')
    await using store = await openStore(context, 'write')
    await using client = await openRegistry(context, values['allow-nondistributable'])
    for (const word of words) {
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
