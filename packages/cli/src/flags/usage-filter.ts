/** `--filter` of du and prune, as docker buildx takes it: `KEY=VALUE`, `KEY!=VALUE`, `KEY~=PATTERN`. */
import type { PruneOptions, UsageFilter, UsageType } from '@tsbuild/builder'
import { UsageError } from '../usage-error.ts'
import { parseBoolean } from './parse.ts'
import { suggest } from './suggest.ts'
import { parseDuration } from './values.ts'

const TEXTS = ['id', 'type', 'description'] as const
const FACTS = ['inuse', 'mutable', 'immutable', 'shared', 'private'] as const
const TYPES: readonly UsageType[] = [
  ...(['regular', 'internal', 'frontend'] as const),
  ...(['source.local', 'source.git.checkout', 'exec.cachemount'] as const),
]

/** What the help says of the flag. */
export const FILTER_HELP =
  'Only entries that fit: until=TIME, id=PATTERN, type=TYPE, description~=PATTERN, inuse, mutable, immutable, shared, private; with = != or ~= (repeatable)'

/** @throws UsageError for a filter that does not exist */
export function parseUsageFilters(texts: readonly string[], now: number): Pick<PruneOptions, 'filters' | 'until'> {
  const filters: UsageFilter[] = []
  const seen = new Map<string, string>()
  let until: number | undefined
  for (const text of texts) {
    if (text === '') continue
    const [, word = '', operator = '', value = ''] = /^\s*([^=!~]*?)\s*(==|=|!=|~=|$)\s*(.*?)\s*$/s.exec(text) ?? []
    const key = word.toLowerCase()
    const before = seen.get(`${key}${operator}`)
    if (before !== undefined && before !== value)
      throw new UsageError(`${JSON.stringify(key)} filter expects only one value`)
    seen.set(`${key}${operator}`, value)
    if (key === 'until' || key === 'unused-for') until = now - age(key, operator, value)
    else filters.push(filterOf(key, operator.replace('==', '='), value, text))
  }
  if (seen.has('until=') && seen.has('unused-for='))
    throw new UsageError('conflicting filters "until" and "unused-for"')
  return { ...(filters.length > 0 && { filters }), ...(until !== undefined && { until }) }
}

function age(key: string, operator: string, value: string): number {
  if (operator === '=') return parseDuration(value, 'filter')
  throw new UsageError(`"${key}" filter expects a duration`, 'write it as until=48h')
}

function filterOf(key: string, operator: string, value: string, text: string): UsageFilter {
  const fact = FACTS.find((one) => one === key)
  if (fact !== undefined) {
    if (operator === '~=') throw new UsageError(`invalid filter ${JSON.stringify(text)}: ${fact} is true or false`)
    const wanted = value === '' || parseBoolean(value, 'filter')
    return { key: fact, operator: wanted === (operator !== '!=') ? 'true' : 'false' }
  }
  const name = TEXTS.find((one) => one === key)
  if (name === undefined) throw unknown(key, text)
  if (operator !== '=' && operator !== '!=' && operator !== '~=')
    throw new UsageError(`bad format of filter ${JSON.stringify(text)} (expected name=value)`)
  if (name === 'type' && operator !== '~=') checkType(value)
  // A part of an id is enough, as for docker.
  const own = name === 'id' && operator === '=' ? '~=' : operator
  if (own === '~=') checkPattern(value)
  return { key: name, operator: own, value }
}

function checkType(value: string): void {
  if (TYPES.some((type) => type === value)) return
  const close = suggest(value, TYPES)
  throw new UsageError(
    `there is no type ${JSON.stringify(value)}`,
    close ? `did you mean ${close}?` : `the types are ${TYPES.join(', ')}`,
  )
}

function checkPattern(value: string): void {
  try {
    new RegExp(value)
  } catch (error) {
    throw new UsageError(
      `bad filter value: ${(error as Error).message}`,
      'after ~=, and of an id, the value is a regular expression',
    )
  }
}

function unknown(key: string, text: string): UsageError {
  if (key === 'parents')
    return new UsageError('the filter parents is not supported', 'entries of this store have no parents')
  const known = ['until', ...TEXTS, ...FACTS]
  const close = suggest(key, known)
  return new UsageError(
    `unknown filter ${JSON.stringify(text)}`,
    close ? `did you mean ${close}?` : `the filters are ${known.join(', ')}`,
  )
}
