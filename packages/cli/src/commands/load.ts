/** `tsbuild load`. */
import { createWriteStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { DockerArchive, OciLayout } from '@tsbuild/registry-client'
import { type CommandContext, defineCommand } from '../command.ts'
import { CommandError } from '../command-error.ts'
import { EXIT } from '../exit-codes.ts'
import { write } from '../io.ts'
import { openStore } from '../library.ts'
import { transfer } from '../transfer.ts'
import { UsageError } from '../usage-error.ts'

export const command = defineCommand({
  name: 'load',
  usage: ['load [FLAGS]'],
  description:
    'Reads an archive of docker save, podman save, tsbuild save or tsbuild build -o type=oci|docker, plain or gzipped, and keeps its images under the names that they have in it.',
  arity: { min: 0, max: 0 },
  flags: [
    {
      name: 'input',
      alias: 'i',
      type: 'string',
      value: 'FILE',
      completes: 'file',
      help: 'The archive (default stdin)',
    },
    { name: 'platform', type: 'string', value: 'OS/ARCH[/VARIANT]', help: 'Load only the image of this platform' },
    { name: 'quiet', alias: 'q', type: 'boolean', help: 'Show no progress' },
  ],
  examples: [
    { text: 'From a file', command: 'tsbuild load -i my-app.tar' },
    { text: 'From a running docker', command: 'docker save my-app:1.0 | tsbuild load' },
  ],
  async run({ values }, context) {
    const { io } = context
    if (values.input !== undefined) {
      await loadArchive(resolve(io.cwd, values.input), values.input, values, context)
      return EXIT.ok
    }
    if (io.stdin.isTTY) throw new UsageError('requested load from stdin, but stdin is a terminal', 'use -i FILE')
    const directory = await mkdtemp(join(tmpdir(), 'tsbuild-load-'))
    try {
      const file = join(directory, 'images.tar')
      await pipeline(io.stdin, createWriteStream(file), { signal: context.signal })
      await loadArchive(file, 'stdin', values, context)
    } finally {
      await rm(directory, { recursive: true, force: true })
    }
    return EXIT.ok
  },
})

async function loadArchive(
  file: string,
  shown: string,
  values: { readonly platform?: string; readonly quiet?: boolean },
  context: CommandContext,
): Promise<void> {
  const { parsePlatform } = await import('@tsbuild/registry-client')
  const options = values.platform === undefined ? {} : { platform: parsePlatform(values.platform) }
  await using archive = await openArchive(file, context)
  await using store = await openStore(context, 'write')
  const names = await namesIn(archive)
  if (names.length === 0) throw new CommandError(`${shown} holds no images`)
  for (const { reference, name } of names) {
    const title = `load ${name ?? shown}`
    const tags = name === undefined ? [] : [name]
    const transferred = { title, source: archive, reference, target: store.images, tags, options }
    const { descriptor } = await transfer(transferred, values, context)
    await write(context.io.stdout, `Loaded image${name === undefined ? ` ID: ${descriptor.digest}` : `: ${name}`}\n`)
  }
}

type Archive = DockerArchive | OciLayout

/** As an archive of docker, which may be an OCI layout too, else as one. */
async function openArchive(file: string, { signal }: CommandContext): Promise<Archive> {
  const { DockerArchive, OciLayout, RegistryError } = await import('@tsbuild/registry-client')
  try {
    return await DockerArchive.open(file, { signal })
  } catch (error) {
    if (!(error instanceof RegistryError && error.message.includes('manifest.json is missing'))) throw error
    return await OciLayout.open(file, { signal })
  }
}

/** What to ask the archive for, and the name to keep it under. */
async function namesIn(
  archive: Archive,
): Promise<readonly { readonly reference: string; readonly name: string | undefined }[]> {
  if ('names' in archive) {
    const names = archive.names()
    return names.length > 0 ? names.map((name) => ({ reference: name, name })) : [{ reference: '', name: undefined }]
  }
  const { manifests } = await archive.index()
  return manifests.map(({ digest, annotations }) => ({
    reference: digest,
    name:
      annotations?.['io.containerd.image.name'] ?? repositoryName(annotations?.['org.opencontainers.image.ref.name']),
  }))
}

/** A bare tag, as layouts have it, names no repository. */
const repositoryName = (name: string | undefined): string | undefined =>
  name !== undefined && /[/:]/.test(name) ? name : undefined
