/** The summary of a job: what was built, what ran and why, in Markdown. */
import { type BuildError, type BuildResult, type BuildWarning, causeText } from '@tsbuild/builder'
import { formatPlatform } from '@tsbuild/registry-client'
import { formatBytes, formatSeconds, imageId } from '../../cli/src/embed.ts'

/** Rows of a table at most; the log has all. */
const MAX_ROWS = 100

export function buildSummary(result: BuildResult, ms: number): string {
  const { total, cached } = result.steps
  const names = [...new Set(result.outputs.flatMap((output) => output.names ?? []))]
  const places = result.outputs.flatMap(({ type, dest }) =>
    dest === undefined || dest === '-' ? [] : [`${type} ${dest}`],
  )
  const facts: [string, string][] = [
    ['Digest', code(result.digest)],
    ['Image id', code(imageId(result))],
    ...(names.length > 0 ? [['Names', names.map(code).join('<br>')] as [string, string]] : []),
    ...(places.length > 0 ? [['Outputs', places.map(code).join('<br>')] as [string, string]] : []),
    ...result.platforms.map(({ platform, layers }): [string, string] => [
      text(formatPlatform(platform)),
      `${count(layers.length, 'layer')}, ${formatBytes(layers.reduce((sum, { size }) => sum + size, 0))}`,
    ]),
    ['Steps', `${total}, ${cached} from the cache`],
    ['Time', formatSeconds(ms)],
  ]
  return [
    '### Image built by tsbuild',
    table(['', ''], facts),
    ranTable(result),
    cacheTable(result),
    warningTable(result.warnings),
    '',
  ].join('\n')
}

export function failureSummary(error: BuildError | Error): string {
  const hint = 'hint' in error && error.hint ? `\n${text(error.hint)}\n` : ''
  const step = 'step' in error && error.step ? `\n${code(error.step)}\n` : ''
  const lines = 'logTail' in error && error.logTail ? error.logTail.slice(-20) : []
  const log = lines.length > 0 ? `\n<pre>${lines.map(text).join('\n')}</pre>\n` : ''
  return `### tsbuild failed\n${step}\n${text(error.message)}\n${hint}${log}\n`
}

function ranTable({ explanation }: BuildResult): string {
  const { steps } = explanation
  if (steps.length === 0) return ''
  const rows = steps.map(({ step, cause, from }): [string, string] => [
    code(step),
    from === undefined ? text(causeText(cause)) : `follows from ${code(from)}`,
  ])
  return details(`${count(steps.length, 'step')} ran`, table(['Step', 'Why'], rows))
}

function cacheTable({ cache }: BuildResult): string {
  const rows = [
    ...cache.imported.map(({ name, hits, records, fetched, problem }): [string, string] => [
      `from ${code(name)}`,
      problem === undefined
        ? `used ${hits} of ${records} results, fetched ${count(fetched.blobs, 'layer')} (${formatBytes(fetched.size)})`
        : `not used: ${text(problem)}`,
    ]),
    ...cache.exported.map(({ name, records, sent, present, problem }): [string, string] => [
      `to ${code(name)}`,
      problem === undefined
        ? `${count(records, 'result')}, sent ${count(sent.blobs, 'layer')} (${formatBytes(sent.size)}), ${present.blobs} were there`
        : `not exported: ${text(problem)}`,
    ]),
  ]
  return rows.length === 0 ? '' : table(['Cache', ''], rows)
}

function warningTable(warnings: readonly BuildWarning[]): string {
  if (warnings.length === 0) return ''
  const rows = warnings.map(({ rule, message, at }): [string, string] => [
    rule === '' ? '' : code(rule),
    `${text(message)}${at ? ` (line ${at.range.start.line})` : ''}`,
  ])
  return details(count(warnings.length, 'warning'), table(['Rule', ''], rows))
}

function table(head: readonly [string, string], rows: readonly (readonly [string, string])[]): string {
  const shown = rows.slice(0, MAX_ROWS)
  const more = rows.length > shown.length ? [`| … | ${rows.length - shown.length} more |`] : []
  const lines = [head, ['---', '---'], ...shown].map(([left, right]) => `| ${left} | ${right} |`)
  return ['', ...lines, ...more, ''].join('\n')
}

function details(title: string, content: string): string {
  return `\n<details><summary>${title}</summary>\n${content}\n</details>\n`
}

function code(value: string): string {
  return `<code>${text(value)}</code>`
}

/** What others wrote stays text: no markup, no mention, no link, no end of a cell. */
function text(value: string): string {
  const marks = /[&<>"'|\\`*_[\]#@~$!:]/g
  return value
    .replace(/\s*\n\s*/g, ' ')
    .replace(/[\0-\x1f\x7f]/g, ' ')
    .replace(marks, (mark) => `&#${mark.charCodeAt(0)};`)
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}

export function mergeSummary(
  digest: string,
  names: readonly string[],
  listed: readonly (readonly [platform: string, digest: string])[],
): string {
  const facts: [string, string][] = [
    ['Digest', code(digest)],
    ['Names', names.map(code).join('<br>')],
    ...listed.map(([platform, of]): [string, string] => [text(platform), code(of)]),
  ]
  return `### Images merged by tsbuild\n${table(['', ''], facts)}\n`
}
