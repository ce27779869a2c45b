/** `tsbuild rmi`. */
import { defineCommand } from '../command.ts'
import { EXIT } from '../exit-codes.ts'
import { write } from '../io.ts'
import { isUnknownImage, openStore } from '../library.ts'

export const command = defineCommand({
  name: 'rmi',
  usage: ['rmi [FLAGS] NAME [NAME…]'],
  description: 'Takes names away; the data that no name and no cached step needs any more goes with the next prune.',
  arity: { min: 1 },
  flags: [{ name: 'force', alias: 'f', type: 'boolean', help: 'Do not fail for names that are not there' }],
  examples: [
    { text: 'Remove a name', command: 'tsbuild rmi my-app:1.0' },
    { text: 'Free its space too', command: 'tsbuild rmi my-app:1.0 && tsbuild prune' },
  ],
  async run({ values, words }, context) {
    await using store = await openStore(context, 'write')
    for (const word of words) {
      try {
        await write(context.io.stderr, `removed ${await store.images.untag(word)}\n`)
      } catch (error) {
        if (!values.force || !isUnknownImage(error)) throw error
      }
    }
    return EXIT.ok
  },
})
