/** `tsbuild pull`. */
import type { RegistryClient } from '@tsbuild/registry-client'
import { defineCommand } from '../command.ts'
import { EXIT } from '../exit-codes.ts'
import { write } from '../io.ts'
import { openStore } from '../library.ts'
import { openRegistry } from '../registry.ts'
import { EXTRA_FLAGS, extraOptions, TRANSFER_FLAGS, transfer } from '../transfer.ts'
import { UsageError } from '../usage-error.ts'

export const command = defineCommand({
  name: 'pull',
  usage: ['pull [FLAGS] IMAGE [IMAGE…]'],
  description: 'Pulls images into the local store under their names and prints each digest on stdout.',
  arity: { min: 1 },
  flags: [
    { name: 'platform', type: 'string', value: 'OS/ARCH[/VARIANT]', help: "Platform to pull (default this machine's)" },
    { name: 'all-platforms', type: 'boolean', help: 'Pull every platform of the image' },
    { name: 'all-tags', alias: 'a', type: 'boolean', help: 'Pull every tag of the repository IMAGE' },
    ...EXTRA_FLAGS,
    ...TRANSFER_FLAGS,
  ],
  examples: [
    { text: 'Pull an image of this platform', command: 'tsbuild pull alpine:3.22' },
    { text: 'By digest, for another platform', command: 'tsbuild pull --platform linux/arm64 alpine@sha256:…' },
    { text: 'From a mirror', command: 'tsbuild pull --mirror docker.io=mirror.example alpine:3.22' },
  ],
  async run({ values, words }, context) {
    const { formatReference, hostPlatform, parsePlatform, parseReference, withDefaultTag } = await import(
      '@tsbuild/registry-client'
    )
    if (values.platform && values['all-platforms']) {
      throw new UsageError('--platform and --all-platforms cannot be used together')
    }
    const chosen = values.platform === undefined ? hostPlatform() : parsePlatform(values.platform)
    const platform = values['all-platforms'] ? undefined : chosen
    await using store = await openStore(context, 'write')
    await using client = await openRegistry(context, values['allow-nondistributable'])
    const names = values['all-tags'] ? await tagsOf(words, client, context.signal) : words
    for (const word of names) {
      const reference = withDefaultTag(parseReference(word))
      const name = formatReference(reference)
      const source = client.repository(reference)
      const { descriptor } = await transfer(
        {
          title: `pull ${name}`,
          source,
          reference: source.defaultReference,
          target: store.images,
          tags: [name],
          options: {
            platform,
            platformOptional: values.platform === undefined,
            // A name with a digest stays the name of that content.
            keepIndex: reference.digest !== undefined,
            ...extraOptions(values),
          },
        },
        values,
        context,
      )
      await write(context.io.stdout, `${descriptor.digest}\n`)
    }
    return EXIT.ok
  },
})

/** Every name that the registry has in some repositories. */
async function tagsOf(words: readonly string[], client: RegistryClient, signal: AbortSignal): Promise<string[]> {
  const { repositoryOf } = await import('../all-tags.ts')
  const names: string[] = []
  for (const word of words) {
    const repository = repositoryOf(word)
    for await (const tag of client.repository(word).tags({ signal })) names.push(`${repository}:${tag}`)
  }
  return names
}
