/** `tsbuild logout`. */
import { defineCommand } from '../command.ts'
import { EXIT } from '../exit-codes.ts'
import { write } from '../io.ts'
import { registryName } from '../registry.ts'

export const command = defineCommand({
  name: 'logout',
  usage: ['logout [REGISTRY]'],
  description: "Removes the credentials of a registry (default docker.io) from docker's config file and its helper.",
  arity: { min: 0, max: 1 },
  flags: [],
  examples: [{ text: 'Forget the credentials of a registry', command: 'tsbuild logout registry.example' }],
  async run({ words }, { io, signal }) {
    const registry = registryName(words[0])
    const { eraseCredentials } = await import('@tsbuild/registry-client')
    const known = await eraseCredentials(registry, { env: io.env, signal })
    await write(io.stderr, known ? `logged out of ${registry}\n` : `not logged in to ${registry}\n`)
    return EXIT.ok
  },
})
