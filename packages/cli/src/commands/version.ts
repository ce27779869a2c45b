/** `tsbuild version`. */
import { defineCommand } from '../command.ts'
import { EXIT } from '../exit-codes.ts'
import { write } from '../io.ts'
import { VERSION } from '../version.ts'

export const command = defineCommand({
  name: 'version',
  usage: ['version [--format json]'],
  arity: { min: 0, max: 0 },
  flags: [
    { name: 'format', type: 'string', value: 'FORMAT', choices: ['text', 'json'], help: 'text or json (default text)' },
  ],
  examples: [{ text: 'Print the version of tsbuild, of Node and of the platform', command: 'tsbuild version' }],
  async run({ values }, { io }) {
    const facts = { version: VERSION, node: process.versions.node, platform: `${process.platform}/${process.arch}` }
    const json = values.format === 'json'
    await write(
      io.stdout,
      json ? `${JSON.stringify(facts)}\n` : `tsbuild ${facts.version} (node ${facts.node}, ${facts.platform})\n`,
    )
    return EXIT.ok
  },
})
