/** Completion for zsh. */
import type { FlagSpec } from '../flags/spec.ts'
import type { CompletionData } from './data.ts'

export function zshScript(data: CompletionData): string {
  const commands = data.commands.map(({ name, summary }) => `    ${quote(`${name}:${summary}`)}`)
  const cases = data.commands.map(
    ({ name, flags }) => `    ${name}) _arguments -s ${flags.map(argument).join(' ')} '*:file:_files' ;;`,
  )
  return `#compdef tsbuild
# tsbuild completion for zsh
_tsbuild() {
  local -a commands
  commands=(
${commands.join('\n')}
  )
  local command=build word
  for word in "\${(@)words[2,CURRENT-1]}"; do
    if (( \${commands[(I)\${word}:*]} )); then command=$word; break; fi
  done
  if (( CURRENT == 2 )) && [[ $PREFIX != -* ]]; then
    _describe command commands
    _files -/
    return
  fi
  case $command in
${cases.join('\n')}
  esac
}
if [[ $funcstack[1] == _tsbuild ]]; then _tsbuild "$@"; else compdef _tsbuild tsbuild; fi
`
}

/** An argument of _arguments: names, help, and how the value is completed. */
function argument(flag: FlagSpec): string {
  const repeat = flag.type === 'list' || flag.type === 'slice' ? '*' : ''
  const help = `[${flag.help.replace(/[[\]\\:]/g, '\\$&')}]`
  const value = flag.type === 'boolean' ? '' : `:${(flag.value ?? 'value').replaceAll(':', '\\:')}:${action(flag)}`
  const names = flag.alias ? [`-${flag.alias}`, `--${flag.name}`] : [`--${flag.name}`]
  return names.map((name) => quote(`${repeat}${name}${help}${value}`)).join(' ')
}

function action(flag: FlagSpec): string {
  if (flag.choices) return `(${flag.choices.join(' ')})`
  return flag.completes === 'directory' ? '_files -/' : flag.completes === 'file' ? '_files' : ' '
}

const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`
