/**
 * What a JSON document from outside must look like. A schema checks a value and gives it back typed; fields that are
 * null count as absent, as for programs in Go, which write them.
 */
import { type Digest, isDigest } from './digest.ts'

/** Objects and lists inside each other that a document may have: readers that recurse are safe then. */
const maxDepth = 64

/** What is wrong with a document: which field, and what it should be. */
export class SchemaProblem extends Error {}

/**
 * Checks a value and gives it back.
 *
 * @param field where the value stands in the document, `config.Env[2]`; '' for the document itself
 * @throws SchemaProblem
 */
export type Schema<T> = (value: unknown, field: string) => T

function fail(field: string, what: string): never {
  throw new SchemaProblem(`${field === '' ? 'the document' : field} ${what}`)
}

function scalar<T>(isValid: (value: unknown) => value is T, expected: string): Schema<T> {
  return (value, field) => (isValid(value) ? value : fail(field, `is not ${expected}`))
}

/** Any text. */
export const text = scalar((value) => typeof value === 'string', 'a text')
/** `true` or `false`. */
export const flag = scalar((value) => typeof value === 'boolean', 'true or false')
/** A whole number that can be calculated with. */
export const integer = scalar((value): value is number => Number.isSafeInteger(value), 'a whole number')
/** A time as RFC 3339 has it. */
export const time = scalar(
  (value): value is string =>
    typeof value === 'string' &&
    /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/.test(value) &&
    !Number.isNaN(Date.parse(value)),
  'a time',
)

/** One of the texts. */
export function oneOf<const T extends string>(...texts: readonly T[]): Schema<T> {
  return scalar((value): value is T => texts.includes(value as T), `one of ${texts.join(', ')}`)
}

/** A text of a form. @param expected the form in words */
export function matching(form: RegExp, expected: string): Schema<string> {
  return scalar((value): value is string => typeof value === 'string' && form.test(value), expected)
}

/** `algorithm:hex`. */
export const digest: Schema<Digest> = (value, field) =>
  isDigest(value) ? value : fail(field, `is not a digest${typeof value === 'string' ? `: ${shown(value)}` : ''}`)

/** A size in bytes. */
export const size: Schema<number> = (value, field) =>
  Number.isSafeInteger(value) && (value as number) >= 0
    ? (value as number)
    : fail(field, `is not a size: ${shown(value)}`)

/** Whatever it is; only its depth is bounded. */
export const anything: Schema<unknown> = (value) => value

/** The field may be missing. */
export function optional<T>(schema: Schema<T>): Schema<T | undefined> {
  return (value, field) => (value === undefined || value === null ? undefined : schema(value, field))
}

/** A list. @param of what `schema` checks, in the plural */
export function list<T>(schema: Schema<T>, of: string): Schema<readonly T[]> {
  return (value, field) =>
    Array.isArray(value)
      ? value.map((item, i) => schema(item, `${field}[${i}]`))
      : fail(field, `is not a list of ${of}`)
}

/** An object with names of the author's choice. @param of what `schema` checks, in the plural */
export function table<T>(schema: Schema<T>, of: string): Schema<Readonly<Record<string, T>>> {
  return (value, field) =>
    isObject(value)
      ? Object.fromEntries(
          Object.entries(value).map(([name, entry]) => [name, schema(entry, `${field}[${shown(name)}]`)]),
        )
      : fail(field, `is not an object of ${of}`)
}

/** An object with known fields; others are kept as they are. @param what it is called where it is missing */
export function object<T extends object>(
  fields: { readonly [K in keyof T]-?: Schema<T[K] | undefined> },
  what = 'an object',
): Schema<T> {
  const known = Object.entries(fields) as [string, Schema<unknown>][]
  return (value, field) => {
    if (!isObject(value)) return fail(field, `is not ${what}`)
    const checked = new Map(Object.entries(value).filter(([, entry]) => entry !== null))
    for (const [name, schema] of known) {
      const own = Object.hasOwn(value, name) ? value[name] : undefined
      const result = schema(own, field === '' ? name : `${field}.${name}`)
      if (result !== undefined) checked.set(name, result)
    }
    return Object.fromEntries(checked) as T
  }
}

/**
 * Reads a document: JSON in UTF-8, not too deep.
 *
 * @throws SchemaProblem
 */
export function parseDocument<T>(bytes: Uint8Array, schema: Schema<T>): T {
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    throw new SchemaProblem('not valid JSON')
  }
  if (!isShallow(value, maxDepth)) fail('', `is nested more than ${maxDepth} deep`)
  return schema(value, '')
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isShallow(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return true
  return levels > 0 && Object.values(value).every((item) => isShallow(item, levels - 1))
}

function shown(value: unknown): string {
  return JSON.stringify(typeof value === 'string' ? value.slice(0, 160) : typeof value === 'object' ? '…' : value) ?? ''
}
