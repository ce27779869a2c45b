/** The syntax of Go's templates, as far as `--format` needs it: text with `{{actions}}`. */
import { UsageError } from '../usage-error.ts'

/** A value in an action. */
export type Operand =
  | { readonly kind: 'literal'; readonly value: string | number | boolean | null }
  /** `.A.B`, `$.A` or `$x.A`: variable '' is the dot. */
  | { readonly kind: 'path'; readonly variable: string; readonly fields: readonly string[] }
  | { readonly kind: 'pipe'; readonly pipe: Pipe; readonly fields: readonly string[] }
  | { readonly kind: 'function'; readonly name: string }

/** `function argument argument | function`: each command is given the result of the one before as its last argument. */
export type Pipe = readonly (readonly Operand[])[]

export type TemplateNode =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'output'; readonly pipe: Pipe; readonly assign: string | undefined }
  | {
      readonly kind: 'if' | 'with' | 'range'
      readonly pipe: Pipe
      readonly variables: readonly string[]
      readonly body: readonly TemplateNode[]
      readonly otherwise: readonly TemplateNode[]
    }

const TOKEN =
  /\s*(?:("(?:[^"\\]|\\.)*")|`([^`]*)`|(-?\d+(?:\.\d+)?)|((?:\$\w*)?(?:\.\w+)+|\$\w*|\.)|(\w+)|(:=|[|(),=]))/y

type Token = { readonly type: 'string' | 'number' | 'path' | 'word' | 'sign'; readonly text: string }

const bad = (problem: string): UsageError => new UsageError(`template parsing error: ${problem}`)

/** @throws UsageError for what is no template */
export function parseTemplate(text: string): TemplateNode[] {
  const parts = text.split(/(\{\{-? ?(?:"(?:[^"\\]|\\.)*"|`[^`]*`|[^"`}]|\}(?!\}))*?\}\})/)
  const items: (string | Token[])[] = []
  let trimNext = false
  for (const [i, part] of parts.entries()) {
    if (i % 2 === 0) {
      if (part.includes('{{')) throw bad('unclosed action')
      const trimEnd = parts[i + 1]?.startsWith('{{- ')
      const front = trimNext ? part.trimStart() : part
      items.push(trimEnd ? front.trimEnd() : front)
      continue
    }
    trimNext = part.endsWith(' -}}')
    const action = part.slice(part.startsWith('{{- ') ? 4 : 2, trimNext ? -4 : -2).trim()
    if (!/^\/\*.*\*\/$/s.test(action)) items.push(tokens(action))
  }
  const reader = { items, at: 0 }
  const nodes = block(reader)
  if (reader.at < items.length) throw bad(`unexpected {{${word(items[reader.at]!)}}}`)
  return nodes
}

function tokens(action: string): Token[] {
  const found: Token[] = []
  TOKEN.lastIndex = 0
  while (TOKEN.lastIndex < action.length) {
    const start = TOKEN.lastIndex
    const match = TOKEN.exec(action)
    if (!match) throw bad(`unexpected ${JSON.stringify(action.slice(start).trim().slice(0, 20))} in {{${action}}}`)
    const [, quoted, raw, number, path, name, sign] = match
    if (quoted !== undefined) found.push({ type: 'string', text: JSON.parse(quoted) as string })
    else if (raw !== undefined) found.push({ type: 'string', text: raw })
    else if (number !== undefined) found.push({ type: 'number', text: number })
    else if (path !== undefined) found.push({ type: 'path', text: path })
    else if (name !== undefined) found.push({ type: 'word', text: name })
    else found.push({ type: 'sign', text: sign! })
  }
  return found
}

interface Reader {
  readonly items: readonly (string | Token[])[]
  at: number
}

const word = (item: string | Token[] | undefined): string =>
  Array.isArray(item) && item[0]?.type === 'word' ? item[0].text : ''

/** Nodes up to an `end` or `else`, which stays. */
function block(reader: Reader): TemplateNode[] {
  const nodes: TemplateNode[] = []
  for (; reader.at < reader.items.length; reader.at++) {
    const item = reader.items[reader.at]!
    if (typeof item === 'string') {
      if (item !== '') nodes.push({ kind: 'text', text: item })
      continue
    }
    const keyword = word(item)
    if (keyword === 'end' || keyword === 'else') break
    if (keyword === 'if' || keyword === 'with' || keyword === 'range')
      nodes.push(control(keyword, item.slice(1), reader))
    else nodes.push(output(item))
  }
  return nodes
}

function output(item: readonly Token[]): TemplateNode {
  const assigns = item[1]?.text === ':=' || item[1]?.text === '='
  if (!assigns) return { kind: 'output', pipe: pipe(item), assign: undefined }
  return { kind: 'output', pipe: pipe(item.slice(2)), assign: item[0]!.text.slice(1) }
}

function control(kind: 'if' | 'with' | 'range', head: readonly Token[], reader: Reader): TemplateNode {
  const sign = head.findIndex((token) => token.type === 'sign' && token.text === ':=')
  const variables = head.slice(0, Math.max(sign, 0)).filter((token) => token.type === 'path')
  const condition = pipe(head.slice(sign + 1))
  reader.at++
  const body = block(reader)
  let otherwise: TemplateNode[] = []
  const end = reader.items[reader.at]
  if (word(end) === 'else') {
    const rest = (end as Token[]).slice(1)
    if (rest.length > 0) otherwise = [control(rest[0]!.text as 'if', rest.slice(1), reader)]
    else {
      reader.at++
      otherwise = block(reader)
      if (word(reader.items[reader.at]) !== 'end') throw bad(`unexpected EOF in {{${kind}}}`)
    }
  } else if (word(end) !== 'end') throw bad(`unexpected EOF in {{${kind}}}`)
  return { kind, pipe: condition, variables: variables.map((token) => token.text.slice(1)), body, otherwise }
}

function pipe(items: readonly Token[]): Pipe {
  const commands: Operand[][] = [[]]
  let at = 0
  const fieldsBehind = (): string[] =>
    items[at + 1]?.type === 'path' && items[at + 1]!.text.startsWith('.') ? items[++at]!.text.slice(1).split('.') : []
  for (; at < items.length; at++) {
    const { type, text } = items[at]!
    const command = commands.at(-1)!
    if (type === 'string') command.push({ kind: 'literal', value: text })
    else if (type === 'number') command.push({ kind: 'literal', value: Number(text) })
    else if (type === 'path') command.push(path(text))
    else if (type === 'word') command.push(named(text))
    else if (text === '|') commands.push([])
    else if (text === '(') {
      const end = closing(items, at)
      const inner = pipe(items.slice(at + 1, end))
      at = end
      command.push({ kind: 'pipe', pipe: inner, fields: fieldsBehind() })
    } else throw bad(`unexpected ${JSON.stringify(text)}`)
  }
  if (commands.some((command) => command.length === 0)) throw bad('missing value for command')
  return commands
}

function closing(items: readonly Token[], open: number): number {
  let depth = 0
  for (let at = open; at < items.length; at++) {
    if (items[at]!.type !== 'sign') continue
    if (items[at]!.text === '(') depth++
    else if (items[at]!.text === ')' && --depth === 0) return at
  }
  throw bad('unclosed left paren')
}

function path(text: string): Operand {
  const [variable = '', ...fields] = text.split('.')
  return { kind: 'path', variable, fields: fields.filter((field) => field !== '') }
}

function named(text: string): Operand {
  if (text === 'true' || text === 'false') return { kind: 'literal', value: text === 'true' }
  return text === 'nil' ? { kind: 'literal', value: null } : { kind: 'function', name: text }
}
