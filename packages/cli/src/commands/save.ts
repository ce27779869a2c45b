/** `tsbuild save`. */
import { resolve } from 'node:path'
import { type CommandContext, defineCommand } from '../command.ts'
import { EXIT } from '../exit-codes.ts'
import { openStore } from '../library.ts'
import { transfer } from '../transfer.ts'
import { UsageError } from '../usage-error.ts'

export const command = defineCommand({
  name: 'save',
  usage: ['save [FLAGS] NAME [NAME…]'],
  description:
    'Writes an archive that docker load, podman load and tsbuild load read, with the images under their names; it is an OCI layout too. Of an image for several platforms it holds one.',
  arity: { min: 1 },
  flags: [
    { name: 'output', alias: 'o', type: 'string', value: 'FILE', completes: 'file', help: 'Where to (default stdout)' },
    {
      name: 'platform',
      type: 'string',
      value: 'OS/ARCH[/VARIANT]',
      help: "Platform of an image that has several (default this machine's)",
    },
  ],
  examples: [
    { text: 'Into a file', command: 'tsbuild save -o my-app.tar my-app:1.0' },
    { text: 'Into a running docker', command: 'tsbuild save my-app:1.0 | docker load' },
  ],
  async run({ values, words }, context) {
    const { stdout } = context.io
    if (values.output === undefined && stdout.isTTY)
      throw new UsageError('refusing to write an archive to the terminal', 'use -o FILE, or redirect stdout')
    const place = values.output === undefined ? stdout : resolve(context.io.cwd, values.output)
    await writeArchive(place, words, values.platform, context)
    return EXIT.ok
  },
})

async function writeArchive(
  place: string | NodeJS.WritableStream,
  names: readonly string[],
  platform: string | undefined,
  context: CommandContext,
): Promise<void> {
  const { formatReference, hostPlatform, ImageArchive, parsePlatform, parseReference, withDefaultTag } = await import(
    '@tsbuild/registry-client'
  )
  const wanted = platform === undefined ? { ...hostPlatform(), os: 'linux' } : parsePlatform(platform)
  await using store = await openStore(context, 'read')
  // Before the first byte: a stream cannot be taken back.
  for (const name of names) await store.images.resolve(name)
  await using archive = await ImageArchive.create(place, { format: 'docker' })
  for (const name of names) {
    const isId = /^(sha256:)?[0-9a-f]{6,}$/.test(name)
    const tags = isId || name.includes('@') ? [] : [formatReference(withDefaultTag(parseReference(name)))]
    const options = { platform: wanted }
    const transferred = { title: `save ${name}`, source: store.images, reference: name, target: archive, tags, options }
    await transfer(transferred, { quiet: true }, context)
  }
  await archive.finish()
}
