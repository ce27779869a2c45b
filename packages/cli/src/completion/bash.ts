/** Completion for bash, without the bash-completion package. */
import type { FlagSpec } from '../flags/spec.ts'
import type { CompletionCommand, CompletionData } from './data.ts'

export function bashScript(data: CompletionData): string {
  const names = data.commands.map((command) => command.name).join(' ')
  return `# tsbuild completion for bash
_tsbuild() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} command=build word
  COMPREPLY=()
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case " ${names} " in *" $word "*) command=$word; break ;; esac
  done
  local flags='' values='' dirs=''
  case "$command" in
${data.commands.map(commandCase).join('\n')}
  esac
  if [[ -n $values ]]; then
    COMPREPLY=($(compgen -W "$values" -- "$current"))
  elif [[ -n $dirs ]]; then
    COMPREPLY=($(compgen -d -- "$current"))
  elif [[ $current == -* ]]; then
    COMPREPLY=($(compgen -W "$flags" -- "$current"))
  elif [[ $COMP_CWORD -eq 1 ]]; then
    COMPREPLY=($(compgen -W "${names}" -- "$current") $(compgen -d -- "$current"))
  else
    COMPREPLY=($(compgen -f -- "$current"))
  fi
}
complete -o filenames -F _tsbuild tsbuild
`
}

function commandCase({ name, flags }: CompletionCommand): string {
  const words = flags.flatMap((flag) => [`--${flag.name}`, ...(flag.alias ? [`-${flag.alias}`] : [])])
  const valueCases = flags.flatMap((flag) => {
    if (flag.choices) return [`        ${pattern(flag)}) values='${flag.choices.join(' ')}' ;;`]
    return flag.completes === 'directory' ? [`        ${pattern(flag)}) dirs=1 ;;`] : []
  })
  const cases = valueCases.length === 0 ? [] : ['      case "$previous" in', ...valueCases, '      esac']
  return [`    ${name})`, `      flags='${words.join(' ')}'`, ...cases, '      ;;'].join('\n')
}

const pattern = (flag: FlagSpec): string => `--${flag.name}${flag.alias ? `|-${flag.alias}` : ''}`
