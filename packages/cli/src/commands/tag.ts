/** `tsbuild tag`. */
import { defineCommand } from '../command.ts'
import { EXIT } from '../exit-codes.ts'
import { openStore } from '../library.ts'

export const command = defineCommand({
  name: 'tag',
  usage: ['tag SOURCE NAME [NAME…]'],
  description: 'SOURCE is a name or a digest of the local store. A name that another image has moves.',
  arity: { min: 2 },
  flags: [],
  examples: [
    { text: 'Name an image for a registry', command: 'tsbuild tag my-app:1.0 registry.example/team/my-app:1.0' },
    { text: 'Several names at once', command: 'tsbuild tag my-app:1.0 my-app:1 my-app:latest' },
  ],
  async run({ words }, context) {
    const [source, ...names] = words
    await using store = await openStore(context, 'write')
    for (const name of names) await store.images.tag(source!, name)
    return EXIT.ok
  },
})
