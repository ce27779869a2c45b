/** `tsbuild login`. */
import { defineCommand } from '../command.ts'
import { EXIT } from '../exit-codes.ts'
import { write } from '../io.ts'
import { ask, readPasswordFrom } from '../prompt.ts'
import { openRegistry, registryName } from '../registry.ts'
import { UsageError } from '../usage-error.ts'

export const command = defineCommand({
  name: 'login',
  usage: ['login [FLAGS] [REGISTRY]'],
  description:
    "Checks the credentials at the registry (default docker.io) and stores them in docker's config file, or in the credential helper that it names. Without flags both are asked for on the terminal.",
  arity: { min: 0, max: 1 },
  flags: [
    { name: 'username', alias: 'u', type: 'string', value: 'NAME', help: 'Name of the user' },
    { name: 'password-stdin', type: 'boolean', help: 'Read the password from stdin' },
    {
      name: 'password',
      alias: 'p',
      type: 'string',
      value: 'PASSWORD',
      help: 'The password; better not: other users see it in the list of processes',
    },
  ],
  examples: [
    { text: 'Ask for user and password', command: 'tsbuild login registry.example' },
    { text: 'In a script', command: 'echo "$TOKEN" | tsbuild login -u ci --password-stdin registry.example' },
  ],
  async run({ values, words }, context) {
    const { io, signal } = context
    if (values.password !== undefined && values['password-stdin']) {
      throw new UsageError('--password and --password-stdin cannot be used together')
    }
    if (values['password-stdin'] && values.username === undefined) {
      throw new UsageError('--password-stdin needs --username')
    }
    if (values.password !== undefined) {
      await write(io.stderr, 'WARNING: --password shows the password to other users; use --password-stdin\n')
    }
    const registry = registryName(words[0])
    const username = values.username ?? (await ask(io, 'username', { secret: false, signal }))
    const password =
      values.password ??
      (values['password-stdin']
        ? await readPasswordFrom(io.stdin)
        : await ask(io, 'password', { secret: true, signal }))
    if (username === '' || password === '') throw new UsageError('the username and the password must not be empty')
    const { storeCredentials } = await import('@tsbuild/registry-client')
    await using client = await openRegistry(context)
    await client.checkCredentials(registry, { username, password }, { signal })
    const stored = await storeCredentials(registry, { username, password }, { env: io.env, signal })
    const where = stored.helper ? `docker-credential-${stored.helper}` : `${stored.file}, unencrypted`
    await write(io.stderr, `logged in to ${registry} as ${username}; stored in ${where}\n`)
    return EXIT.ok
  },
})
