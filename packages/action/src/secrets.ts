/** Secrets of inputs: values, variables, files. */
import { resolve } from 'node:path'
import type { BuildOptions } from '@tsbuild/builder'
import { keyValue, UsageError } from '../../cli/src/embed.ts'
import type { GitContext } from './git-context.ts'
import { parseList } from './list.ts'
import type { Runner } from './runner.ts'

export type Secrets = NonNullable<BuildOptions['secrets']>

/** Reads `secrets`, `secret-envs` and `secret-files`, and has the runner keep their values out of the log. */
export function readSecrets(runner: Runner, cwd: string): Secrets {
  const pairs = (input: string, commas: boolean) =>
    parseList(input, runner.input(input), { commas }).map((item) => pair(input, item))
  const values = pairs('secrets', false).map(([id, value]) => ({ id, value }))
  const variables = pairs('secret-envs', true).map(([id, env]) => ({ id, env }))
  const files = pairs('secret-files', false).map(([id, path]) => ({ id, src: resolve(cwd, path) }))
  for (const { value } of values) runner.mask(value)
  for (const { env } of variables) runner.mask(runner.env[env] ?? '')
  return [...values, ...variables, ...files]
}

/** Never says what it has read: it may be a secret in the wrong form. */
function pair(input: string, item: string): [id: string, value: string] {
  const found = keyValue(item)
  if (found && found[0] !== '' && found[1] !== '') return found
  throw new UsageError(
    `an item of the input ${input} is not ID=${input === 'secret-envs' ? 'VARIABLE' : input === 'secret-files' ? 'FILE' : 'VALUE'}`,
    input === 'secrets' ? 'a value of several lines stands in quotes: "ID=…"' : undefined,
  )
}

/** The workflow's token, for the workflow's own repository and its host alone. */
export function tokenSecret(
  runner: Runner,
  context: string,
  repository: GitContext | undefined,
  given: Secrets,
): Secrets {
  const token = runner.input('github-token')
  if (token === '') return []
  runner.mask(token)
  if (repository === undefined || !context.startsWith(repository.url)) return []
  if (given.some(({ id }) => /^GIT_AUTH_(TOKEN|HEADER)(\.|$)/.test(id))) return []
  return [{ id: `GIT_AUTH_TOKEN.${repository.host}`, value: token }]
}
