/** The warnings of a build, as they are listed at its end. */
import type { BuildWarning } from '@tsbuild/builder'
import { escapeText } from './progress/escape.ts'

/**
 * One line per warning; in full with excerpt and link when `excerpt` is given.
 *
 * @returns '' when there are none
 */
export function renderWarnings(
  warnings: readonly BuildWarning[],
  excerpt?: (at: NonNullable<BuildWarning['at']>) => string,
): string {
  if (warnings.length === 0) return ''
  const how = excerpt ? '' : ' (use --debug to expand)'
  const lines = ['', ` ${warnings.length} ${warnings.length === 1 ? 'warning' : 'warnings'} found${how}:`]
  for (const warning of warnings) lines.push(...(excerpt ? expanded(warning, excerpt) : [` - ${summary(warning)}`]))
  return `${escapeText(lines.join('\n'))}\n`
}

function summary(warning: BuildWarning): string {
  const text = warning.rule === '' ? warning.message : `${warning.rule}: ${warning.message}`
  return warning.at ? `${text} (line ${warning.at.range.start.line})` : text
}

function expanded(warning: BuildWarning, excerpt: (at: NonNullable<BuildWarning['at']>) => string): string[] {
  return [
    ` - ${summary(warning)}`,
    ...(warning.description ? [warning.description] : []),
    ...(warning.url ? [`More info: ${warning.url}`] : []),
    ...(warning.at ? [excerpt(warning.at)] : []),
    '',
  ]
}
