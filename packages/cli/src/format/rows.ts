/** `--format` of commands that list something: a table, JSON, or a template for each row. */

import { escapeControls } from '../progress/escape.ts'
import { renderTable } from '../table.ts'
import { UsageError } from '../usage-error.ts'
import { compileTemplate } from './template.ts'

/** One row, by the names that templates use. */
export type Row = Readonly<Record<string, unknown>>

/** What `--format` asks for. */
export type RowFormat =
  | { readonly kind: 'table' }
  | { readonly kind: 'json' }
  | { readonly kind: 'template'; readonly text: string }

/** docker writes tabs and ends of lines of a template as they are typed in a shell. */
export function parseFormat(text: string | undefined): RowFormat {
  if (text === undefined || text === '' || text === 'table') return { kind: 'table' }
  if (text === 'json') return { kind: 'json' }
  if (text.includes('{{')) return { kind: 'template', text: text.replaceAll('\\t', '\t').replaceAll('\\n', '\n') }
  throw new UsageError(
    `invalid argument ${JSON.stringify(text)} for --format`,
    "write table, json, or a template such as '{{.ID}}'",
  )
}

/** Rows by a template; one that begins with `table ` gets a head and columns at tabs. */
export function renderRows(rows: readonly Row[], text: string, heads: Readonly<Record<string, string>>): string {
  const isTable = text.startsWith('table ')
  const template = compileTemplate(isTable ? text.slice('table '.length).trim() : text)
  const lines = rows.map((row) => template(row))
  if (!isTable) return lines.map((line) => `${line}\n`).join('')
  const fields = rows[0] ?? {}
  const head = compileTemplate(
    text
      .slice('table '.length)
      .trim()
      .replaceAll(/\{\{\s*(?:\w+\s+)*(\.\w+)[^}]*\}\}/g, '{{$1}}'),
  )(Object.fromEntries(Object.keys({ ...heads, ...fields }).map((name) => [name, heads[name] ?? name.toUpperCase()])))
  const cells = lines.map((line) => line.split('\t').map(escapeControls))
  return renderTable(head.split('\t'), cells) || `${head.replaceAll('\t', '   ')}\n`
}
