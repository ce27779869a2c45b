/** Go's templates for `--format`, with the functions that docker adds. */
import { UsageError } from '../usage-error.ts'
import { type Operand, type Pipe, parseTemplate, type TemplateNode } from './parse-template.ts'

/** Makes a text from a value, which is plain data. */
export type Template = (value: unknown) => string

/** @throws UsageError for what is no template; the template itself throws one for a field or function that does not exist */
export function compileTemplate(text: string): Template {
  const nodes = parseTemplate(text)
  return (value) => render(nodes, { dot: value, variables: new Map([['', value]]) })
}

interface Scope {
  readonly dot: unknown
  /** By name; '' is `$`, what the template began with. */
  readonly variables: Map<string, unknown>
}

function render(nodes: readonly TemplateNode[], scope: Scope): string {
  return nodes.map((node) => renderNode(node, scope)).join('')
}

function renderNode(node: TemplateNode, scope: Scope): string {
  if (node.kind === 'text') return node.text
  const value = evaluate(node.pipe, scope)
  if (node.kind === 'output') {
    if (node.assign === undefined) return show(value)
    scope.variables.set(node.assign, value)
    return ''
  }
  const inner = (dot: unknown, bound: readonly unknown[]): string => {
    const variables = new Map(scope.variables)
    // One variable of a range is the element, two are key and element.
    const values = node.variables.length === 1 ? bound.slice(-1) : bound
    for (const [i, name] of node.variables.entries()) variables.set(name, values[i])
    return render(node.body, { dot, variables })
  }
  if (!isTrue(value)) return render(node.otherwise, scope)
  if (node.kind === 'range')
    return rangeOf(value)
      .map(([key, item]) => inner(item, [key, item]))
      .join('')
  return inner(node.kind === 'with' ? value : scope.dot, [value])
}

function rangeOf(value: unknown): [key: unknown, item: unknown][] {
  if (Array.isArray(value)) return [...value.entries()]
  if (typeof value === 'object' && value !== null) return sorted(value)
  throw new UsageError(`template: range can't iterate over ${show(value)}`)
}

const sorted = (value: object): [string, unknown][] => Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))

function evaluate(pipe: Pipe, scope: Scope): unknown {
  let value: unknown
  for (const [i, command] of pipe.entries()) {
    const [first, ...rest] = command as [Operand, ...Operand[]]
    const piped = i === 0 ? [] : [value]
    if (first.kind === 'function')
      value = call(first.name, [...rest.map((operand) => operandValue(operand, scope)), ...piped])
    else if (rest.length + piped.length > 0) throw new UsageError('template: a value that is no function has arguments')
    else value = operandValue(first, scope)
  }
  return value
}

function operandValue(operand: Operand, scope: Scope): unknown {
  if (operand.kind === 'literal') return operand.value
  if (operand.kind === 'function') return call(operand.name, [])
  if (operand.kind === 'pipe') return fieldOf(evaluate(operand.pipe, scope), operand.fields)
  const { variable, fields } = operand
  if (variable === '') return fieldOf(scope.dot, fields)
  const name = variable.slice(1)
  if (!scope.variables.has(name)) throw new UsageError(`template: undefined variable ${JSON.stringify(variable)}`)
  return fieldOf(scope.variables.get(name), fields)
}

function fieldOf(value: unknown, fields: readonly string[]): unknown {
  return fields.reduce((at, field) => {
    if (at === null || at === undefined) return undefined
    if (typeof at === 'object' && !Array.isArray(at)) {
      if (Object.hasOwn(at, field)) return (at as Record<string, unknown>)[field]
      // Tables such as labels have no such key; other data has no such field.
      if (OPEN.has(at)) return undefined
      const known = Object.keys(at)
      throw new UsageError(
        `template: can't evaluate field ${field}`,
        known.length > 0 ? `the fields are ${known.slice(0, 40).join(', ')}` : undefined,
      )
    }
    throw new UsageError(`template: can't evaluate field ${field} of ${show(at)}`)
  }, value)
}

const OPEN = new WeakSet<object>()

/** Marks a table from names to values: a name that is not in it is no mistake. */
export function openTable<T extends object>(table: T): T {
  OPEN.add(table)
  return table
}

function isTrue(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0
  if (typeof value === 'object' && value !== null) return Object.keys(value).length > 0
  return Boolean(value)
}

/** As Go prints it. */
function show(value: unknown): string {
  if (value === undefined || value === null) return '<no value>'
  if (Array.isArray(value)) return `[${value.map(inside).join(' ')}]`
  if (typeof value === 'object')
    return `map[${sorted(value)
      .map(([key, item]) => `${key}:${inside(item)}`)
      .join(' ')}]`
  return String(value)
}

const inside = (value: unknown): string => (value === undefined || value === null ? '<nil>' : show(value))

const text = (value: unknown): string => (typeof value === 'string' ? value : show(value))

const FUNCTIONS: Readonly<Record<string, (...args: unknown[]) => unknown>> = {
  json: (value) => JSON.stringify(value ?? null),
  prettyjson: (value) => JSON.stringify(value ?? null, null, 2),
  join: (list, separator) => (Array.isArray(list) ? list.map(text).join(text(separator)) : text(list)),
  split: (value, separator) => text(value).split(text(separator)),
  lower: (value) => text(value).toLowerCase(),
  upper: (value) => text(value).toUpperCase(),
  title: (value) => text(value).replace(/\b\w/g, (letter) => letter.toUpperCase()),
  pad: (value, before, after) => `${' '.repeat(Number(before))}${text(value)}${' '.repeat(Number(after))}`,
  truncate: (value, length) => text(value).slice(0, Number(length)),
  len: (value) =>
    Array.isArray(value) || typeof value === 'string' ? value.length : Object.keys((value ?? {}) as object).length,
  index: (value, ...keys) => keys.reduce(elementOf, value),
  slice: (value, from = 0, to = undefined) =>
    Array.isArray(value) ? value.slice(Number(from), to as number) : text(value).slice(Number(from), to as number),
  print: (...values) => values.map(text).join(''),
  println: (...values) => `${values.map(text).join(' ')}\n`,
  printf: (format, ...values) => printf(text(format), values),
  eq: (first, ...others) => others.some((other) => other === first),
  ne: (a, b) => a !== b,
  lt: (a, b) => (a as number) < (b as number),
  le: (a, b) => (a as number) <= (b as number),
  gt: (a, b) => (a as number) > (b as number),
  ge: (a, b) => (a as number) >= (b as number),
  and: (...values) => values.find((value) => !isTrue(value)) ?? values.at(-1),
  or: (...values) => values.find(isTrue) ?? values.at(-1),
  not: (value) => !isTrue(value),
}

function call(name: string, args: readonly unknown[]): unknown {
  if (Object.hasOwn(FUNCTIONS, name)) return FUNCTIONS[name]!(...args)
  throw new UsageError(
    `template: function ${JSON.stringify(name)} not defined`,
    `the functions are ${Object.keys(FUNCTIONS).join(', ')}`,
  )
}

function elementOf(value: unknown, key: unknown): unknown {
  if (value === undefined || value === null) return undefined
  if (Array.isArray(value)) {
    if (Number(key) in value) return value[Number(key)]
    throw new UsageError(`template: error calling index: index out of range: ${show(key)}`)
  }
  return Object.hasOwn(value as object, String(key)) ? (value as Record<string, unknown>)[String(key)] : ''
}

/** %s, %v, %d, %q and %%, with a width. */
function printf(format: string, values: readonly unknown[]): string {
  let next = 0
  return format.replace(/%(-?)(\d{0,3})([a-z%])/g, (_all, left: string, width: string, verb: string) => {
    if (verb === '%') return '%'
    const value = values[next++]
    const shown = verb === 'q' ? JSON.stringify(text(value)) : text(value)
    return left === '-' ? shown.padEnd(Number(width)) : shown.padStart(Number(width))
  })
}
