/** `tsbuild copy`. */
import type { CopyProgress } from '@tsbuild/registry-client'
import { defineCommand } from '../command.ts'
import { CommandError } from '../command-error.ts'
import { EXIT } from '../exit-codes.ts'
import { write } from '../io.ts'
import { openSource, openTarget, parseLocation } from '../location.ts'
import type { ProgressDisplay } from '../progress/index.ts'
import { openRegistry } from '../registry.ts'
import { TRANSFER_FLAGS, transferDisplay } from '../transfer.ts'
import { UsageError } from '../usage-error.ts'

export const command = defineCommand({
  name: 'copy',
  usage: ['copy [FLAGS] SOURCE TARGET'],
  description:
    'SOURCE and TARGET are IMAGE (or docker://IMAGE) in a registry, oci:DIR[:NAME], or, to copy from, oci-archive:FILE[:NAME]. Every platform is copied unless --platform names one, digests stay as they are, and what the target has already is not sent. Prints the digest on stdout.',
  arity: { min: 2, max: 2 },
  flags: [
    { name: 'platform', type: 'string', value: 'OS/ARCH[/VARIANT]', help: 'Copy only the image of this platform' },
    { name: 'all', alias: 'a', type: 'boolean', help: 'Copy every platform (the default)' },
    { name: 'referrers', type: 'boolean', help: 'Copy signatures, attestations and whatever else refers to the image' },
    ...TRANSFER_FLAGS,
  ],
  examples: [
    { text: 'From one registry to another', command: 'tsbuild copy alpine:3.22 registry.example/base/alpine:3.22' },
    {
      text: 'Into an OCI layout, with signatures',
      command: 'tsbuild copy --referrers registry.example/my-app:1.0 oci:layout:1.0',
    },
    {
      text: 'An archive of a build into a registry',
      command: 'tsbuild copy oci-archive:image.tar registry.example/my-app:1.0',
    },
  ],
  async run({ values, words }, context) {
    if (values.all && values.platform) throw new UsageError('--all and --platform cannot be used together')
    const { io, signal } = context
    const { copy, parsePlatform } = await import('@tsbuild/registry-client')
    const platform = values.platform === undefined ? undefined : parsePlatform(values.platform)
    const [from, to] = [parseLocation(words[0]!), parseLocation(words[1]!)]
    await using client = await openRegistry(context)
    await using source = await openSource(from, client, signal)
    const { target, tags, digest } = await openTarget(to, client, source.tag)
    using display = transferDisplay(values, context)
    const result = await inOneStep(display, `copy ${words[0]} to ${words[1]}`, signal, (onProgress) =>
      copy(source.source, source.reference, target, tags, {
        platform,
        referrers: values.referrers,
        signal,
        onProgress,
      }),
    )
    if (digest !== undefined && digest !== result.descriptor.digest) {
      throw new CommandError(`${words[0]} has the digest ${result.descriptor.digest}, not ${digest}`)
    }
    await write(io.stdout, `${result.descriptor.digest}\n`)
    return EXIT.ok
  },
})

/** Shows a transfer as one step of progress. */
async function inOneStep<T>(
  { listener }: ProgressDisplay,
  name: string,
  signal: AbortSignal,
  work: (onProgress: (progress: CopyProgress) => void) => Promise<T>,
): Promise<T> {
  const id = 'copy'
  listener({ type: 'started', vertex: { id, name }, time: Date.now() })
  try {
    const result = await work(({ descriptor, transferred, result: arrived }) => {
      const current = arrived ? descriptor.size : transferred
      listener({ type: 'progress', id, item: descriptor.digest, current, total: descriptor.size, time: Date.now() })
    })
    listener({ type: 'done', id, time: Date.now() })
    return result
  } catch (error) {
    if (signal.aborted) listener({ type: 'canceled', id, time: Date.now() })
    else
      listener({
        type: 'failed',
        id,
        message: error instanceof Error ? error.message : String(error),
        time: Date.now(),
      })
    throw error
  }
}
