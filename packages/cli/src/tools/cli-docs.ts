/** docs/cli.md, made from the tables of commands and flags. */
import type { Command } from '../command.ts'
import { COMMANDS } from '../commands/index.ts'
import { GLOBAL_FLAGS } from '../flags/global.ts'
import type { FlagSpec } from '../flags/spec.ts'
import { EXIT_CODE_TEXTS, flagSyntax } from '../help.ts'

/** Environment variables that the command reads, and what for. */
const ENVIRONMENT: readonly (readonly [name: string, text: string])[] = [
  ['TSBUILD_ROOT', 'Directory of the state; `--root` wins'],
  ['TSBUILD_GC', 'Automatic collection of the state: `off`, or its limits (docs/store.md)'],
  ['XDG_DATA_HOME', 'The state is in `tsbuild` below it when `TSBUILD_ROOT` is not set (default `~/.local/share`)'],
  ['XDG_CACHE_HOME', "The command's compiled code is kept in `tsbuild/node` below it (default `~/.cache`)"],
  ['DOCKER_CONFIG', 'Directory of docker’s `config.json`: credentials and proxies (default `~/.docker`)'],
  ['DOCKER_DEFAULT_PLATFORM', 'Platform of builds without `--platform`'],
  ['SOURCE_DATE_EPOCH', 'A build argument of every build that does not set it'],
  ['BUILDKIT_PROGRESS', 'How progress is shown without `--progress`'],
  ['SSH_AUTH_SOCK', 'The agent of `--ssh default`'],
  ['NO_COLOR, FORCE_COLOR', 'No colours, or colours although the output is no terminal'],
]

/** The whole document. */
export async function cliDocs(): Promise<string> {
  const lines = [
    '# The command line',
    '',
    'Made from the tables in `packages/cli/src` by `node packages/cli/src/tools/write-docs.ts`; a test fails when it is out of date.',
    '',
    '`tsbuild -t NAME .` is short for `tsbuild build -t NAME .`. Flags are written `--flag value`, `--flag=value`, `-f value`',
    'or `-fvalue`; one-letter flags can be joined, flags and arguments mixed, and `--` ends the flags.',
    'stdout carries results only (digests, JSON, archives), everything else goes to stderr.',
    '',
    '## Exit codes',
    '',
    '| code | meaning |',
    '| --- | --- |',
    ...EXIT_CODE_TEXTS.map(([code, text]) => `| ${code} | ${text} |`),
    '',
    '## Flags of every command',
    '',
    ...flagTable(GLOBAL_FLAGS),
    '',
    '## Environment',
    '',
    '| variable | meaning |',
    '| --- | --- |',
    ...ENVIRONMENT.map(([name, text]) => `| \`${name}\` | ${text} |`),
  ]
  for (const entry of COMMANDS) {
    const { command } = await entry.load()
    lines.push('', ...commandLines(command, entry.summary))
  }
  return `${lines.join('\n')}\n`
}

function commandLines(command: Command, summary: string): string[] {
  const lines = [`## tsbuild ${command.name}`, '', `${summary}.`, '', '```']
  lines.push(...command.usage.map((usage) => `tsbuild ${usage}`), '```')
  if (command.description) lines.push('', command.description)
  for (const { title, flags } of command.sections) {
    const visible = flags.filter((flag) => !flag.hidden)
    if (visible.length > 0) lines.push('', `### ${title}`, '', ...flagTable(visible))
  }
  lines.push('', '### Examples', '', '```sh')
  lines.push(...command.examples.flatMap(({ text, command: example }) => [`# ${text}`, example]), '```')
  return lines
}

function flagTable(flags: readonly FlagSpec[]): string[] {
  return [
    '| flag | meaning |',
    '| --- | --- |',
    ...flags.map((flag) => `| \`${cell(flagSyntax(flag))}\` | ${cell(flag.help)} |`),
  ]
}

const cell = (text: string): string => text.replaceAll('|', '\\|')
