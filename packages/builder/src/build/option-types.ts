/**
 * What a value of an option has to be. A check gives back the value as the library uses it, with absolute paths, or throws
 * OPTION_INVALID with the path of the option and what is expected there.
 */
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { defineError } from '../errors.ts'
import { suggest } from '../util/suggest.ts'

export const optionErrors = {
  optionInvalid: defineError({
    code: 'OPTION_INVALID',
    doc: 'An option of the call or the command line has a value that cannot be used.',
    message: (problem: string) => problem,
  }),
}

/** Where a value stands, and what relative paths count from. */
export interface Spot {
  /** `outputs[0].attrs`; '' for the options themselves. */
  readonly path: string
  readonly cwd: string
}

/** @throws BuildError OPTION_INVALID */
export type Check = (value: unknown, spot: Spot) => unknown

function unexpected({ path }: Spot, expected: string, value: unknown): never {
  throw optionErrors.optionInvalid([`${path || 'options'}: expected ${expected}, not ${shown(value)}`])
}

/** Values of options may be secret: of texts only the kind is told. */
function shown(value: unknown): string {
  if (value === null || value === undefined || typeof value === 'number' || typeof value === 'boolean')
    return String(value)
  if (Array.isArray(value)) return 'an array'
  if (value === '') return 'an empty string'
  if (typeof value !== 'object') return `a ${typeof value}`
  const { name } = (value.constructor ?? Object) as { readonly name?: unknown }
  if (typeof name !== 'string' || name === '' || name === 'Object') return 'an object'
  return `${/^[AEIOU]/i.test(name) && !/^U[A-Z]/.test(name) ? 'an' : 'a'} ${name.slice(0, 40)}`
}

export const text: Check = (value, spot) => (typeof value === 'string' ? value : unexpected(spot, 'a string', value))

export const flag: Check = (value, spot) => (typeof value === 'boolean' ? value : unexpected(spot, 'a boolean', value))

/** A whole number, of a size or a count. */
export const count =
  (min = 0): Check =>
  (value, spot) =>
    Number.isSafeInteger(value) && (value as number) >= min
      ? value
      : unexpected(spot, `a whole number from ${min} up`, value)

/** A time in milliseconds. */
export const milliseconds: Check = (value, spot) =>
  typeof value === 'number' && value > 0 && Number.isFinite(value)
    ? value
    : unexpected(spot, 'a number of milliseconds above 0', value)

export const oneOf =
  (...words: readonly string[]): Check =>
  (value, spot) => {
    if (typeof value === 'string' && words.includes(value)) return value
    const list = words.map((word) => JSON.stringify(word)).join(', ')
    if (typeof value !== 'string') return unexpected(spot, `one of ${list}`, value)
    const close = suggest(value, words)
    throw optionErrors.optionInvalid(
      [`${spot.path}: expected one of ${list}, not ${JSON.stringify(value.slice(0, 40))}`],
      close === undefined ? {} : { hint: `did you mean ${close}?` },
    )
  }

export const func: Check = (value, spot) =>
  typeof value === 'function' ? value : unexpected(spot, 'a function', value)

/** An object with methods, such as a stream, told by one of them. */
export const having =
  (method: string, expected: string): Check =>
  (value, spot) =>
    typeof value === 'object' && value !== null && typeof (value as Record<string, unknown>)[method] === 'function'
      ? value
      : unexpected(spot, expected, value)

export const bytesOrText: Check = (value, spot) =>
  typeof value === 'string' || value instanceof Uint8Array ? value : unexpected(spot, 'a string or a Uint8Array', value)

/** A path of this machine, or a file: URL, made absolute. */
export const path: Check = (value, spot) => {
  const name = typeof value === 'string' ? value : fileName(value, spot)
  if (name === '') unexpected(spot, 'a path or a file: URL', name)
  if (name.includes('\0')) throw optionErrors.optionInvalid([`${spot.path}: a path cannot hold a NUL character`])
  return resolve(spot.cwd, name)
}

/** A path, unless `plain` says that the text is something else, such as a URL or `-`. */
export const pathUnless =
  (plain: (text: string) => boolean): Check =>
  (value, spot) => {
    const name = value instanceof URL && value.protocol !== 'file:' ? value.href : value
    return typeof name === 'string' && plain(name) ? name : path(name, spot)
  }

function fileName(value: unknown, spot: Spot): string {
  if (!(value instanceof URL) || value.protocol !== 'file:') return unexpected(spot, 'a path or a file: URL', value)
  try {
    return fileURLToPath(value)
  } catch {
    return unexpected(spot, 'a file: URL of this machine', value)
  }
}

export const listOf =
  (check: Check): Check =>
  (value, spot) =>
    Array.isArray(value)
      ? value.map((item: unknown, i) => check(item, { ...spot, path: `${spot.path}[${i}]` }))
      : unexpected(spot, 'an array', value)

/** An object that is a table from names to values. */
export const tableOf =
  (check: Check): Check =>
  (value, spot) =>
    Object.fromEntries(
      entries(value, spot).map(([key, item]) => [
        key,
        check(item, { ...spot, path: `${spot.path}[${JSON.stringify(key)}]` }),
      ]),
    )

/** An object with known keys only; undefined is as good as absent. */
export function shape(fields: Readonly<Record<string, Check>>, required: readonly string[] = []): Check {
  return (value, spot) => {
    const at = (key: string): Spot => ({ ...spot, path: spot.path === '' ? key : `${spot.path}.${key}` })
    const result: Record<string, unknown> = {}
    for (const [key, item] of entries(value, spot)) {
      if (!Object.hasOwn(fields, key)) refuseKey(key, Object.keys(fields), spot)
      const checked = item === undefined ? undefined : fields[key]!(item, at(key))
      if (checked !== undefined) result[key] = checked
    }
    // The check says what is needed.
    for (const key of required) if (result[key] === undefined) fields[key]!(undefined, at(key))
    return result
  }
}

function refuseKey(key: string, known: readonly string[], { path: place }: Spot): never {
  const close = suggest(key, known)
  throw optionErrors.optionInvalid([`${place === '' ? '' : `${place}: `}unknown option ${JSON.stringify(key)}`], {
    hint: close ? `did you mean ${close}?` : `the options are ${known.join(', ')}`,
  })
}

function entries(value: unknown, spot: Spot): [string, unknown][] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) unexpected(spot, 'an object', value)
  if (!isPlain(value as object)) unexpected(spot, 'a plain object', value)
  return Object.entries(value as object)
}

/** Whether all that an object says are its own properties: of a Map, or what is inherited, nothing would be seen. */
function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value) as object | null
  if (prototype === null) return true
  if (Object.getPrototypeOf(prototype) === null) return Object.keys(prototype).length === 0
  // That of process.env has nothing but a constructor without a name.
  return prototype.constructor.name === '' && Object.getOwnPropertyNames(prototype).length === 1
}
