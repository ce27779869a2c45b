/** `tsbuild pull`. */
import { defineCommand } from '../command.ts'
import { EXIT } from '../exit-codes.ts'
import { write } from '../io.ts'
import { loadImages, storeOptions } from '../library.ts'
import { TRANSFER_FLAGS, transferDisplay } from '../transfer.ts'

export const command = defineCommand({
  name: 'pull',
  usage: ['pull [FLAGS] IMAGE [IMAGE…]'],
  description: 'Pulls images into the local store under their names and prints each digest on stdout.',
  arity: { min: 1 },
  flags: [
    { name: 'platform', type: 'slice', value: 'OS/ARCH[/VARIANT]', help: "Platforms to pull (default this machine's)" },
    { name: 'all-platforms', type: 'boolean', help: 'Pull every platform of the image' },
    ...TRANSFER_FLAGS,
  ],
  examples: [
    { text: 'Pull an image of this platform', command: 'tsbuild pull alpine:3.22' },
    { text: 'By digest, for another platform', command: 'tsbuild pull --platform linux/arm64 alpine@sha256:…' },
    { text: 'From a mirror', command: 'tsbuild pull --mirror docker.io=mirror.example alpine:3.22' },
  ],
  async run({ values, words }, context) {
    const library = await loadImages()
    const platforms = values['all-platforms'] ? ('all' as const) : values.platform
    for (const reference of words) {
      using display = transferDisplay(values, context)
      const { digest } = await library.pullImage(reference, {
        ...storeOptions(context),
        ...(platforms === undefined ? {} : { platforms }),
        onProgress: display.listener,
      })
      await write(context.io.stdout, `${digest}\n`)
    }
    return EXIT.ok
  },
})
