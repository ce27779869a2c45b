/** Parser directives: `# name=value` lines at the very top of the file. */

import type { SourceFile } from '../source.ts'
import type { Directive } from './ast.ts'
import { dockerfileErrors } from './errors.ts'
import type { Escape } from './words.ts'

const known = new Set(['syntax', 'escape', 'check'])
/** Of a line without blanks around. */
const form = /^#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+)$/

/** Result of {@link readDirectives}. */
export interface DirectiveBlock {
  readonly directives: readonly Directive[]
  readonly escape: Escape
  /** Offset behind the lines of the directives: they are no comments of an instruction. */
  readonly end: number
}

/**
 * Reads the directives of a file. The first line that is none ends them, also a blank line or another comment.
 * After a `#!` line only `syntax` and `check` are heeded: the reference looks for these two past it, but not for
 * `escape`.
 *
 * @throws a directive that is repeated, an escape character that is neither `\` nor a backtick
 */
export function readDirectives(source: SourceFile): DirectiveBlock {
  const { text } = source
  const directives: Directive[] = []
  const seen = new Set<string>()
  let escapeChar: Escape = '\\'
  let at = text.startsWith('\ufeff') ? 1 : 0
  const script = text.startsWith('#!', at)
  if (script) at = nextLine(text, at)
  while (at < text.length) {
    const next = nextLine(text, at)
    const match = form.exec(text.slice(at, next).trim())
    const name = match?.[1]?.toLowerCase()
    const value = match?.[2]
    if (name === undefined || value === undefined || !known.has(name)) break
    if (script && name === 'escape') break
    const range = source.range(at, next)
    const place = { at: { file: source, range } }
    if (seen.has(name)) throw dockerfileErrors.duplicateDirective([name], place)
    seen.add(name)
    if (name === 'escape') {
      if (value !== '\\' && value !== '`') throw dockerfileErrors.invalidEscape([value], place)
      escapeChar = value
    }
    directives.push({ name, value, range })
    at = next
  }
  return { directives, escape: escapeChar, end: at }
}

function nextLine(text: string, at: number): number {
  const newline = text.indexOf('\n', at)
  return newline < 0 ? text.length : newline + 1
}
