/** `tsbuild push`. */
import { defineCommand } from '../command.ts'
import { EXIT } from '../exit-codes.ts'
import { write } from '../io.ts'
import { loadImages, storeOptions } from '../library.ts'
import { TRANSFER_FLAGS, transferDisplay } from '../transfer.ts'

export const command = defineCommand({
  name: 'push',
  usage: ['push [FLAGS] NAME [NAME…]'],
  description: 'Pushes images of the local store under their names and prints each digest on stdout.',
  arity: { min: 1 },
  flags: TRANSFER_FLAGS,
  examples: [
    { text: 'Push an image that was built as this name', command: 'tsbuild push registry.example/team/my-app:1.0' },
    {
      text: 'Give it a name first',
      command: 'tsbuild tag my-app:1.0 registry.example/my-app:1.0 && tsbuild push registry.example/my-app:1.0',
    },
  ],
  async run({ values, words }, context) {
    const library = await loadImages()
    for (const name of words) {
      using display = transferDisplay(values, context)
      const { digest } = await library.pushImage(name, { ...storeOptions(context), onProgress: display.listener })
      await write(context.io.stdout, `${digest}\n`)
    }
    return EXIT.ok
  },
})
