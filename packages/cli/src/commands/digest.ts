/** `tsbuild digest`. */
import { defineCommand } from '../command.ts'
import { EXIT } from '../exit-codes.ts'
import { readManifest } from '../image-reader.ts'
import { write } from '../io.ts'
import { openRegistry } from '../registry.ts'

export const command = defineCommand({
  name: 'digest',
  usage: ['digest [FLAGS] IMAGE [IMAGE…]'],
  description:
    'Asks the registry, not the local store. Of an image for several platforms it is the digest of the index.',
  arity: { min: 1 },
  flags: [
    {
      name: 'platform',
      type: 'string',
      value: 'OS/ARCH[/VARIANT]',
      help: 'The digest of the manifest of this platform',
    },
    { name: 'full', type: 'boolean', help: 'Print REPOSITORY@DIGEST' },
  ],
  examples: [
    { text: 'The digest that a tag has now', command: 'tsbuild digest alpine:3.22' },
    { text: 'To be written into a Dockerfile', command: 'tsbuild digest --full alpine:3.22' },
    { text: 'Of one platform', command: 'tsbuild digest --platform linux/arm64 alpine:3.22' },
  ],
  async run({ values, words }, context) {
    const { io, signal } = context
    await using client = await openRegistry(context)
    for (const reference of words) {
      const repository = client.repository(reference)
      const descriptor = values.platform
        ? (await readManifest(repository, repository.defaultReference, values.platform, signal)).descriptor
        : await repository.resolve(undefined, { signal })
      await write(io.stdout, `${values.full ? `${repository.name}@` : ''}${descriptor.digest}\n`)
    }
    return EXIT.ok
  },
})
