/** Which entries of a store are meant: BuildKit's filters over the lines of `du`. */
import type { UsageItem } from './usage-item.ts'

/** What a filter looks at. Keys from `inuse` on are true or not: they have no value of their own. */
export const FILTER_KEYS = ['id', 'type', 'description', 'inuse', 'mutable', 'immutable', 'shared', 'private'] as const

/** One condition; entries that fulfil all of several are meant. */
export interface UsageFilter {
  readonly key: (typeof FILTER_KEYS)[number]
  /** `~=`: the value is a regular expression that is found in it. `true` and `false`: for keys without a value. */
  readonly operator: '=' | '!=' | '~=' | 'true' | 'false'
  readonly value?: string
}

/** @throws SyntaxError for a regular expression that is none */
export function usageMatcher(filters: readonly UsageFilter[]): (item: UsageItem) => boolean {
  const tests = filters.map(testOf)
  return (item) => tests.every((test) => test(item))
}

function testOf({ key, operator, value = '' }: UsageFilter): (item: UsageItem) => boolean {
  if (operator === 'true' || operator === 'false')
    return (item) => Boolean(fieldOf(item, key)) === (operator === 'true')
  const text = (item: UsageItem) => String(fieldOf(item, key))
  if (operator === '~=') {
    const pattern = new RegExp(value)
    return (item) => pattern.test(text(item))
  }
  return (item) => (text(item) === value) === (operator === '=')
}

function fieldOf(item: UsageItem, key: UsageFilter['key']): string | boolean {
  switch (key) {
    case 'id':
      return item.id
    case 'type':
      return item.type
    case 'description':
      return item.description ?? ''
    case 'inuse':
      return !item.reclaimable
    case 'mutable':
      return item.mutable
    case 'immutable':
      return !item.mutable
    case 'shared':
      return item.shared
    case 'private':
      return !item.shared
  }
}
