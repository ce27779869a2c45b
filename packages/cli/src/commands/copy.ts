/** `tsbuild copy`. */
import { defineCommand } from '../command.ts'
import { EXIT } from '../exit-codes.ts'
import { write } from '../io.ts'
import { openSource, openTarget, parseLocation } from '../location.ts'
import { openRegistry } from '../registry.ts'
import { EXTRA_FLAGS, extraOptions, TRANSFER_FLAGS, transfer } from '../transfer.ts'
import { UsageError } from '../usage-error.ts'

export const command = defineCommand({
  name: 'copy',
  usage: ['copy [FLAGS] SOURCE TARGET'],
  description:
    'SOURCE and TARGET are IMAGE (or docker://IMAGE) in a registry, store:NAME in the local store, oci:DIR[:NAME][@DIGEST], oci-archive:FILE[:NAME][@DIGEST] or docker-archive:FILE[:NAME]. Archives that are read may be compressed with gzip, zstd or xz. Every platform is copied unless --platform names one, digests stay as they are, and what the target has already is not sent. Prints the digest on stdout.',
  arity: { min: 2, max: 2 },
  flags: [
    { name: 'platform', type: 'string', value: 'OS/ARCH[/VARIANT]', help: 'Copy only the image of this platform' },
    { name: 'all', alias: 'a', type: 'boolean', help: 'Copy every platform (the default)' },
    ...EXTRA_FLAGS,
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
    const { parsePlatform } = await import('@tsbuild/registry-client')
    const platform = values.platform === undefined ? undefined : parsePlatform(values.platform)
    const [from, to] = [parseLocation(words[0]!), parseLocation(words[1]!)]
    await using client = await openRegistry(context, values['allow-nondistributable'])
    await using opened = await openSource(from, client, context)
    await using place = await openTarget(to, client, opened.tag, context)
    const { source, reference } = opened
    const { target, tags, digest } = place
    const title = `copy ${words[0]} to ${words[1]}`
    const options = { platform, digest, ...extraOptions(values) }
    const result = await transfer({ title, source, reference, target, tags, options }, values, context)
    await place.finish?.()
    await write(context.io.stdout, `${result.descriptor.digest}\n`)
    return EXIT.ok
  },
})
