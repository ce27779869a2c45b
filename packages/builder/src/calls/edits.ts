/** Replacements in a text, and the difference they make as a unified diff. */
import type { Range, SourceFile } from '../source.ts'

/** Replaces the characters between two offsets. */
export interface Edit {
  readonly start: number
  readonly end: number
  readonly text: string
}

/** Replaces a range. */
export function replaceRange(range: Range, text: string): Edit {
  return { start: range.start.offset, end: range.end.offset, text }
}

/** Edits in the order of the file; one that overlaps an earlier one is left out. */
export function withoutOverlap<E extends Edit>(edits: readonly E[]): E[] {
  const kept: E[] = []
  for (const edit of [...edits].sort((a, b) => a.start - b.start || a.end - b.end)) {
    const last = kept.at(-1)
    if (last === undefined || edit.start >= last.end) kept.push(edit)
  }
  return kept
}

/** The text after the edits, which must not overlap. */
export function applyEdits(text: string, edits: readonly Edit[]): string {
  let out = ''
  let at = 0
  for (const edit of withoutOverlap(edits)) {
    out += text.slice(at, edit.start) + edit.text
    at = edit.end
  }
  return out + text.slice(at)
}

/** Lines that change, as they are and as they become; with their line endings. */
interface Change {
  /** 0-based line in the old text. */
  readonly line: number
  readonly before: readonly string[]
  readonly after: readonly string[]
}

/** The edits as `diff -u` prints them; '' if they change nothing. */
export function unifiedDiff(file: SourceFile, edits: readonly Edit[], context = 3): string {
  const changes = changedLines(file, withoutOverlap(edits))
  if (changes.length === 0) return ''
  const lines = splitLines(file.text)
  const out = [`--- ${file.name}\n`, `+++ ${file.name}\n`]
  let shift = 0
  for (const hunk of hunks(changes, context)) {
    const last = hunk.at(-1)!
    const start = Math.max(0, hunk[0]!.line - context)
    const end = Math.min(lines.length, last.line + last.before.length + context)
    const grown = hunk.reduce((sum, change) => sum + change.after.length - change.before.length, 0)
    const count = end - start
    out.push(`@@ -${span(start, count)} +${span(start + shift, count + grown)} @@\n`)
    let at = start
    for (const { line, before, after } of hunk) {
      out.push(marked(' ', lines.slice(at, line)), marked('-', before), marked('+', after))
      at = line + before.length
    }
    out.push(marked(' ', lines.slice(at, end)))
    shift += grown
  }
  return out.join('')
}

function marked(mark: string, lines: readonly string[]): string {
  return lines.map((line) => mark + (line.endsWith('\n') ? line : `${line}\n\\ No newline at end of file\n`)).join('')
}

function changedLines(file: SourceFile, edits: readonly Edit[]): Change[] {
  const groups: { first: number; last: number; edits: Edit[] }[] = []
  for (const edit of edits) {
    const first = file.position(edit.start).line
    const end = file.position(edit.end)
    const last = end.column === 0 && end.line > first ? end.line - 1 : end.line
    const group = groups.at(-1)
    if (group && first <= group.last + 1) {
      group.last = Math.max(group.last, last)
      group.edits.push(edit)
    } else groups.push({ first, last, edits: [edit] })
  }
  return groups.flatMap(({ first, last, edits: inGroup }) => {
    const range = file.lines(first, last)
    const offset = range.start.offset
    const before = file.text.slice(offset, range.end.offset)
    const moved = inGroup.map((edit) => ({ start: edit.start - offset, end: edit.end - offset, text: edit.text }))
    const after = applyEdits(before, moved)
    return after === before ? [] : [{ line: first - 1, before: splitLines(before), after: splitLines(after) }]
  })
}

/** Changes whose context touches go into one hunk. */
function hunks(changes: readonly Change[], context: number): Change[][] {
  const result: Change[][] = []
  for (const change of changes) {
    const last = result.at(-1)?.at(-1)
    if (last && change.line - (last.line + last.before.length) <= 2 * context) result.at(-1)!.push(change)
    else result.push([change])
  }
  return result
}

/** `start,count` with a 1-based start; an empty span names the line before it. */
function span(start: number, count: number): string {
  const line = count === 0 ? start : start + 1
  return count === 1 ? `${line}` : `${line},${count}`
}

function splitLines(text: string): string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? []
}
