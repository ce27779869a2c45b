/** Parser directives: `# name=value` lines at the very top of the file. */

import type { SourceFile } from '../source.ts'
import type { Directive } from './ast.ts'
import { dockerfileErrors } from './errors.ts'
import type { Escape } from './words.ts'

const known = new Set(['syntax', 'escape', 'check'])
const form = /^#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*$/

/** Result of {@link readDirectives}. */
export interface DirectiveBlock {
  readonly directives: readonly Directive[]
  readonly escape: Escape
  /** Number of lines that the directives take; the scanner does not take them for comments of an instruction. */
  readonly lines: number
}

/**
 * Reads the directives of a file. The first line that is none ends them, also a blank line or another comment.
 * After a `#!` line only `syntax` and `check` are heeded: the reference looks for these two past it, but not for
 * `escape`.
 *
 * @throws a directive that is repeated, an escape character that is neither `\` nor a backtick
 */
export function readDirectives(source: SourceFile): DirectiveBlock {
  const directives: Directive[] = []
  const seen = new Set<string>()
  const bom = source.text.startsWith('\ufeff') ? 1 : 0
  const script = source.text.startsWith('#!', bom)
  let escapeChar: Escape = '\\'
  let line = script ? 2 : 1
  for (; line <= source.lineCount; line++) {
    const raw = source.line(line).slice(line === 1 ? bom : 0)
    const text = raw.trim()
    const match = form.exec(text)
    const name = match?.[1]?.toLowerCase()
    const value = match?.[2]
    if (name === undefined || value === undefined || !known.has(name)) break
    if (script && name === 'escape') break
    const range = source.lines(line, line)
    const at = { file: source, range }
    if (seen.has(name)) throw dockerfileErrors.duplicateDirective([name], { at })
    seen.add(name)
    if (name === 'escape') {
      if (value !== '\\' && value !== '`') throw dockerfileErrors.invalidEscape([value], { at })
      escapeChar = value
    }
    directives.push({ name, value, range })
  }
  return { directives, escape: escapeChar, lines: line - 1 }
}
