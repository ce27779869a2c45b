/** `--call` and `--check`. */
import { UsageError } from '../../usage-error.ts'
import { csvFields, keyValue } from '../csv.ts'
import { parseBoolean } from '../parse.ts'
import { suggest } from '../suggest.ts'
import type { Call } from './draft.ts'

const KINDS: Readonly<Record<string, Call['kind'] | 'build'>> = {
  build: 'build',
  check: 'check',
  lint: 'check',
  outline: 'outline',
  targets: 'targets',
  'subrequests.describe': 'describe',
}

const FORMATS: readonly Call['format'][] = ['text', 'json', 'sarif']

/**
 * One `--call KIND[,format=text|json|sarif][,ignorestatus=BOOL]`.
 *
 * @returns undefined for `build`
 */
export function parseCall(text: string): Call | undefined {
  let kind: Call['kind'] | 'build' | undefined
  let format: Call['format'] = 'text'
  let ignoreStatus = false
  for (const field of csvFields(text, 'call')) {
    const pair = keyValue(field)
    if (!pair) {
      if (kind) throw new UsageError(`invalid print value: ${text}`)
      kind = parseKind(field)
    } else if (pair[0] === 'format') format = parseFormat(pair[1])
    else if (pair[0] === 'ignorestatus') ignoreStatus = parseBoolean(pair[1], 'call')
    else throw new UsageError(`invalid print field: ${field}`, 'the fields are format and ignorestatus')
  }
  if (!kind || kind === 'build') return undefined
  if (format === 'sarif' && kind !== 'check') throw new UsageError(`--call=${kind} has no format sarif`)
  return { kind, format, ignoreStatus }
}

function parseKind(text: string): Call['kind'] | 'build' {
  const kind = Object.hasOwn(KINDS, text) ? KINDS[text] : undefined
  if (kind) return kind
  const close = suggest(text, Object.keys(KINDS))
  throw new UsageError(
    `unknown --call method ${JSON.stringify(text)}`,
    close ? `did you mean ${close}?` : 'the methods are build, check, outline, targets and subrequests.describe',
  )
}

function parseFormat(text: string): Call['format'] {
  const format = FORMATS.find((known) => known === text)
  if (format) return format
  throw new UsageError(`unknown format ${JSON.stringify(text)} for --call`, `the formats are ${FORMATS.join(', ')}`)
}
