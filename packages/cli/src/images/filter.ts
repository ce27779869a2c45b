/** `tsbuild images --filter`, as docker has it. */
import { keyValue } from '../flags/csv.ts'
import { parseDuration } from '../flags/values.ts'
import { UsageError } from '../usage-error.ts'
import { type ListedImage, nameParts } from './rows.ts'

type Test = (image: ListedImage) => boolean

const KEYS = ['before', 'dangling', 'label', 'reference', 'since', 'until']

/**
 * @param find the image of a name, for `before` and `since`
 * @throws UsageError for a filter that does not exist
 */
export async function imageFilter(
  filters: readonly string[],
  find: (name: string) => Promise<ListedImage>,
  now: number,
): Promise<Test> {
  const tests: Test[] = []
  const references: string[] = []
  for (const filter of filters) {
    const [key, value] = keyValue(filter) ?? [filter, '']
    if (!KEYS.includes(key) || value === '')
      throw new UsageError(
        `invalid filter ${JSON.stringify(filter)}`,
        `the filters are ${KEYS.join(', ')}, each with =VALUE`,
      )
    if (key === 'reference') references.push(value)
    else if (key === 'label') tests.push(hasLabel(value))
    else if (key === 'dangling') tests.push(dangling(value))
    else if (key === 'until') {
      const until = timeOf(value, now)
      tests.push(({ created }) => created < until)
    } else {
      const { created } = await find(value)
      tests.push((image) => (key === 'before' ? image.created < created : image.created > created))
    }
  }
  if (references.length > 0) tests.push((image) => references.some((pattern) => isNamed(image, pattern)))
  return (image) => tests.every((test) => test(image))
}

function hasLabel(text: string): Test {
  const [key, value] = keyValue(text) ?? [text, undefined]
  return ({ labels }) =>
    labels.some((table) => Object.hasOwn(table, key) && (value === undefined || table[key] === value))
}

/** Every image of the store has a name. */
function dangling(value: string): Test {
  if (/^(1|t|true)$/i.test(value)) return () => false
  if (/^(0|f|false)$/i.test(value)) return () => true
  throw new UsageError(`invalid filter "dangling=${value}": it must be true or false`)
}

function timeOf(text: string, now: number): number {
  if (/^\d{9,11}$/.test(text)) return Number(text) * 1000
  const date = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(date) ? now - parseDuration(text, 'filter') : date
}

function isNamed({ image }: ListedImage, pattern: string): boolean {
  const { repository, tag } = nameParts(image.name)
  return [repository, `${repository}:${tag}`, image.name].some((name) => matchesPattern(name, pattern))
}

/** `*` and `?` stand for anything but a slash, `[a-z]` for one of some characters: in steps bounded by both lengths. */
export function matchesPattern(name: string, pattern: string): boolean {
  let states = new Set([0])
  const units = pattern.match(/\[\^?[^\]]+\]|\\.|./gs) ?? []
  const closure = (from: ReadonlySet<number>): Set<number> => {
    const all = new Set(from)
    for (const at of all) if (units[at] === '*') all.add(at + 1)
    return all
  }
  states = closure(states)
  for (const letter of name) {
    const next = new Set<number>()
    for (const at of states) {
      const unit = units[at]
      if (unit === undefined) continue
      if (unit === '*') {
        if (letter !== '/') next.add(at)
      } else if (isOne(letter, unit)) next.add(at + 1)
    }
    states = closure(next)
  }
  return states.has(units.length)
}

function isOne(letter: string, unit: string): boolean {
  if (unit === '?') return letter !== '/'
  if (unit.length === 1) return unit === letter
  if (unit.startsWith('\\')) return unit[1] === letter
  const negated = unit[1] === '^'
  const ranges = unit.slice(negated ? 2 : 1, -1).matchAll(/(.)-(.)|(.)/gs)
  const found = [...ranges].some(([, low, high, one]) => (one ? one === letter : letter >= low! && letter <= high!))
  return found !== negated
}
