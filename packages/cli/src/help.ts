/** Help texts, made from the tables of commands and flags. */
import { type Command, type CommandEntry, globalFlags } from './command.ts'
import { GLOBAL_FLAGS } from './flags/global.ts'
import type { FlagSpec } from './flags/spec.ts'

const WIDTH = 100

/** What `tsbuild` and `tsbuild help` print. */
export function overview(commands: readonly CommandEntry[]): string {
  const lines = [
    'tsbuild builds container images from Dockerfiles, without a daemon.',
    '',
    'Usage:',
    '  tsbuild [FLAGS] PATH | URL | -',
    '  tsbuild COMMAND [FLAGS] [ARGUMENTS]',
  ]
  for (const group of ['Building', 'Images', 'Registries', 'Other'] as const) {
    lines.push('', `${group}:`)
    for (const entry of commands) {
      if (entry.group === group) lines.push(`  ${entry.name.padEnd(12)}${entry.summary}`)
    }
  }
  lines.push('', 'Flags of every command:', ...flagLines(GLOBAL_FLAGS), '', ...exitCodeLines())
  lines.push('', 'tsbuild COMMAND --help shows the flags of a command, with examples.')
  return `${lines.join('\n')}\n`
}

/** What `tsbuild COMMAND --help` prints. */
export function commandHelp(command: Command, summary: string): string {
  const lines = [`${summary}.`, '', 'Usage:', ...command.usage.map((usage) => `  tsbuild ${usage}`)]
  if (command.description) lines.push('', ...wrap(command.description, WIDTH))
  lines.push('', 'Examples:')
  for (const example of command.examples) lines.push(`  # ${example.text}`, `  ${example.command}`)
  for (const section of command.sections) {
    const visible = section.flags.filter((flag) => !flag.hidden)
    if (visible.length > 0) lines.push('', `${section.title}:`, ...flagLines(visible))
  }
  lines.push('', 'Flags of every command:', ...flagLines(globalFlags(command)), '', ...exitCodeLines())
  return `${lines.join('\n')}\n`
}

/** The exit codes, for the help and the documentation. */
export const EXIT_CODE_TEXTS: readonly (readonly [code: number, text: string])[] = [
  [0, 'success'],
  [1, 'the build or command failed; --check: there are findings'],
  [2, 'the command line is wrong, or Node is too old'],
  [130, 'interrupted by Ctrl-C (129 by SIGHUP, 143 by SIGTERM)'],
]

function exitCodeLines(): string[] {
  return ['Exit codes:', ...EXIT_CODE_TEXTS.map(([code, text]) => `  ${String(code).padEnd(5)}${text}`)]
}

/** How a flag is written: `-t, --tag NAME`. */
export function flagSyntax(flag: FlagSpec): string {
  const alias = flag.alias ? `-${flag.alias}, ` : ''
  return `${alias}--${flag.name}${flag.type === 'boolean' ? '' : ` ${flag.value ?? 'VALUE'}`}`
}

function flagLines(flags: readonly FlagSpec[]): string[] {
  const indent = 4
  return flags.flatMap((flag) => {
    const head = `${' '.repeat(flag.alias ? 2 : 6)}${flagSyntax(flag)}`
    const text = wrap(flag.help, WIDTH - 34)
    if (head.length <= 32) return [head.padEnd(34) + text[0], ...text.slice(1).map((line) => ' '.repeat(34) + line)]
    return [head, ...text.map((line) => ' '.repeat(30 + indent) + line)]
  })
}

/** Breaks text into lines of at most `width` characters, between words. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  for (const paragraph of text.split('\n')) {
    let line = ''
    for (const word of paragraph.split(' ')) {
      if (line !== '' && line.length + 1 + word.length > width) {
        lines.push(line)
        line = word
      } else line = line === '' ? word : `${line} ${word}`
    }
    lines.push(line)
  }
  return lines
}
