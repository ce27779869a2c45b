/** Completion for fish. */
import type { FlagSpec } from '../flags/spec.ts'
import type { CompletionCommand, CompletionData } from './data.ts'

export function fishScript(data: CompletionData): string {
  const names = data.commands.map((command) => command.name).join(' ')
  const lines = [
    '# tsbuild completion for fish',
    `function __tsbuild_no_command; not __fish_seen_subcommand_from ${names}; end`,
    ...data.commands.map(
      ({ name, summary }) => `complete -c tsbuild -n __tsbuild_no_command -a ${name} -d ${quote(summary)}`,
    ),
    ...data.commands.flatMap(flagLines),
  ]
  return `${lines.join('\n')}\n`
}

/** Flags of `build` are offered without a command too. */
function flagLines({ name, flags }: CompletionCommand): string[] {
  const seen = `__fish_seen_subcommand_from ${name}`
  const condition = quote(name === 'build' ? `${seen}; or __tsbuild_no_command` : seen)
  return flags.map((flag) => {
    const alias = flag.alias ? ` -s ${flag.alias}` : ''
    return `complete -c tsbuild -n ${condition} -l ${flag.name}${alias}${value(flag)} -d ${quote(flag.help)}`
  })
}

function value(flag: FlagSpec): string {
  if (flag.type === 'boolean') return ''
  if (flag.choices) return ` -x -a ${quote(flag.choices.join(' '))}`
  if (flag.completes === 'directory') return ` -x -a '(__fish_complete_directories)'`
  return flag.completes === 'file' ? ' -r' : ' -x'
}

const quote = (text: string): string => `'${text.replace(/['\\]/g, '\\$&')}'`
