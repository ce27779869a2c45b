/** `tsbuild inspect`. */
import { defineCommand } from '../command.ts'
import { EXIT } from '../exit-codes.ts'
import { parseFormat } from '../format/rows.ts'
import { write } from '../io.ts'
import { lookAt } from '../look-at.ts'
import { type Inspection, renderInspection } from '../render-inspection.ts'
import { UsageError } from '../usage-error.ts'

export const command = defineCommand({
  name: 'inspect',
  usage: ['inspect [FLAGS] IMAGE'],
  description: 'Looks in the local store, and in the registry when the image is not there (or with --remote).',
  arity: { min: 1, max: 1 },
  flags: [
    { name: 'raw', type: 'boolean', help: 'Print the bytes of the manifest or index as they are' },
    {
      name: 'format',
      alias: 'f',
      type: 'string',
      value: 'FORMAT',
      help: "text, json, or a Go template with the fields of docker inspect, such as '{{json .Config.Env}}' (default text)",
    },
    {
      name: 'platform',
      type: 'string',
      value: 'OS/ARCH[/VARIANT]',
      help: 'Show the image of this platform of an index',
    },
    { name: 'remote', type: 'boolean', help: 'Ask the registry even when the local store has the image' },
  ],
  examples: [
    { text: 'Show an image', command: 'tsbuild inspect my-app:1.0' },
    { text: 'Its manifest and config as JSON', command: 'tsbuild inspect --format json my-app:1.0' },
    { text: 'One property', command: "tsbuild inspect -f '{{.Config.WorkingDir}}' my-app:1.0" },
    { text: 'The digest of a manifest, computed again', command: 'tsbuild inspect --raw my-app:1.0 | sha256sum' },
  ],
  async run({ values, words }, context) {
    if (values.raw && values.format) throw new UsageError('--raw and --format cannot be used together')
    const format = parseFormat(values.format === 'text' ? undefined : values.format)
    const { inspection, image } = await lookAt(words[0]!, values, context)
    const { stdout } = context.io
    if (values.raw) await write(stdout, inspection.bytes)
    else if (format.kind === 'template') {
      const [{ compileTemplate }, { dockerView }] = await Promise.all([
        import('../format/template.ts'),
        import('../images/docker-view.ts'),
      ])
      await write(stdout, `${compileTemplate(format.text)(dockerView(inspection, image))}\n`)
    } else if (format.kind === 'json') await write(stdout, `${JSON.stringify(toJson(inspection), null, 2)}\n`)
    else await write(stdout, renderInspection(inspection))
    return EXIT.ok
  },
})

function toJson({ bytes, ...rest }: Inspection): object {
  return { ...rest, manifest: JSON.parse(bytes.toString('utf8')) }
}
