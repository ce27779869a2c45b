/** The text of `--check`, in the form of the reference. */
import type { BuildWarning, CheckResult, Location } from '@tsbuild/builder'
import { escapeControls } from '../progress/escape.ts'

/** @param excerpt shows the lines around a place */
export function renderCheck(result: CheckResult, excerpt: (at: Location) => string): string {
  const count = result.warnings.length
  const lines: string[] = []
  if (count > 0) lines.push(`Check complete, ${count} ${count === 1 ? 'warning has' : 'warnings have'} been found!`)
  else if (!result.error) lines.push('Check complete, no warnings found.')
  for (const warning of result.warnings) lines.push('', ...finding(warning, excerpt))
  if (result.error) {
    lines.push('', `ERROR: ${result.error.message}`)
    if (result.error.at) lines.push(excerpt(result.error.at))
  }
  return `${lines
    .flatMap((line) => line.split('\n'))
    .map(escapeControls)
    .join('\n')}\n`
}

function finding(warning: BuildWarning, excerpt: (at: Location) => string): string[] {
  return [
    `WARNING: ${warning.rule}${warning.url ? ` - ${warning.url}` : ''}`,
    warning.message,
    ...(warning.at ? [excerpt(warning.at)] : []),
  ]
}
