/** `KEY=VALUE` flags. */
import type { Environment } from '../../io.ts'
import { UsageError } from '../../usage-error.ts'
import { keyValue } from '../csv.ts'

/** Labels: a key alone has an empty value. */
export function parseLabels(values: readonly string[]): Record<string, string> {
  return Object.fromEntries(values.map((text) => named(text, 'label', keyValue(text) ?? [text, ''])))
}

/** Build arguments: a name alone takes its value from the environment, and is left out when that has none. */
export function parseBuildArgs(values: readonly string[], env: Environment): Record<string, string> {
  const args: [string, string][] = []
  for (const text of values) {
    const pair = keyValue(text)
    const inherited = pair ? undefined : env[text]
    if (pair) args.push(named(text, 'build-arg', pair))
    else if (inherited !== undefined) args.push([text, inherited])
    else named(text, 'build-arg', [text, ''])
  }
  return Object.fromEntries(args)
}

/** Named contexts. */
export function parseBuildContexts(values: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    values.map((text) => {
      const pair = keyValue(text)
      if (!pair) throw new UsageError(`invalid context value: ${text}, expected k=v`)
      if (pair[0] === '') throw new UsageError(`invalid context name ${JSON.stringify(pair[0])}`)
      return pair
    }),
  )
}

function named(text: string, flag: string, pair: [string, string]): [string, string] {
  if (pair[0].trim() === '')
    throw new UsageError(`invalid argument ${JSON.stringify(text)} for --${flag}: the name is missing`)
  return pair
}
