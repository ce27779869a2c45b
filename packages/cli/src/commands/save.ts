/** `tsbuild save`. */
import { createReadStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pipeline } from 'node:stream/promises'
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
    if (values.output !== undefined) {
      await writeArchive(resolve(context.io.cwd, values.output), words, values.platform, context)
      return EXIT.ok
    }
    // Whole before its first byte is sent: the index of an archive is known last.
    const directory = await mkdtemp(join(tmpdir(), 'tsbuild-save-'))
    try {
      const file = join(directory, 'images.tar')
      await writeArchive(file, words, values.platform, context)
      await pipeline(createReadStream(file), stdout, { end: false, signal: context.signal })
    } finally {
      await rm(directory, { recursive: true, force: true })
    }
    return EXIT.ok
  },
})

async function writeArchive(
  path: string,
  names: readonly string[],
  platform: string | undefined,
  context: CommandContext,
): Promise<void> {
  const { formatReference, hostPlatform, ImageArchive, parsePlatform, parseReference, withDefaultTag } = await import(
    '@tsbuild/registry-client'
  )
  const wanted = platform === undefined ? { ...hostPlatform(), os: 'linux' } : parsePlatform(platform)
  await using store = await openStore(context, 'read')
  await using archive = await ImageArchive.create(path, { format: 'docker' })
  for (const name of names) {
    await store.images.resolve(name)
    const isId = /^(sha256:)?[0-9a-f]{6,}$/.test(name)
    const tags = isId || name.includes('@') ? [] : [formatReference(withDefaultTag(parseReference(name)))]
    const options = { platform: wanted }
    const transferred = { title: `save ${name}`, source: store.images, reference: name, target: archive, tags, options }
    await transfer(transferred, { quiet: true }, context)
  }
  await archive.finish()
}
