/** Command lines of docker, podman and buildah, whose flags are mostly those of `tsbuild build`. */

import { dockerHabit } from '../docker-habits.ts'
import { newDraft } from '../flags/build/draft.ts'
import { BUILD_FLAGS } from '../flags/build/index.ts'
import type { BuildFlag } from '../flags/build/row.ts'
import { FlagTable } from '../flags/parse.ts'
import { UsageError } from '../usage-error.ts'
import { type Foreign, foreignFlags, type Tool } from './foreign-flags.ts'
import type { Migration } from './migration.ts'
import { isOpenEnded, type ShellLine } from './shell-words.ts'

/** How each tool calls a build. */
const COMMANDS: Readonly<Record<Tool, RegExp>> = {
  docker: /^(?:build|(?:buildx|image|builder) (?:build|b))$/,
  podman: /^(?:build|(?:buildx|image) build)$/,
  buildah: /^(?:build|bud|build-using-dockerfile)$/,
}

/** @throws UsageError for what is no build, and for flags that nobody knows */
export function migrateBuild(line: ShellLine, tool: Tool): Migration {
  const translator = new Translator(line, tool)
  translator.run(argumentsOf(line, tool))
  translator.settle()
  const { contexts, notes, flags } = translator
  if (contexts.length > 1)
    throw new UsageError(`there is more than one context: ${contexts.map((c) => line.plain(c)).join(' ')}`)
  if (contexts.length === 0 && tool === 'docker') throw new UsageError('the command line has no context')
  const goesOn = flags.some((flag) => /^(?:--push|--load|-o|--output|--call|--check)(?:=|$)/.test(flag))
  if (!goesOn) notes.push(`the image goes to the local store of tsbuild; --load gives it to docker or podman`)
  if (tool !== 'docker' && !flags.some((flag) => /^(?:-f|--file)(?:=|$)/.test(flag)))
    notes.push('a Containerfile is not looked for: name it with -f')
  return { words: ['tsbuild', 'build', ...flags, contexts[0] ?? '.'], notes }
}

/** What follows the command; also a command line that begins with the flags. */
function argumentsOf({ words }: ShellLine, tool: Tool): readonly string[] {
  let at = 0
  // Variables for the command alone stay with it, but for those of docker's.
  while (/^[A-Za-z_]\w*=/.test(words[at] ?? '')) at++
  if (words[at]?.startsWith('-')) return words.slice(at)
  if (words[at]?.split('/').at(-1) === tool) at++
  for (const count of [2, 1]) {
    const command = words.slice(at, at + count).join(' ')
    if (COMMANDS[tool].test(command)) return words.slice(at + count)
  }
  const rest = words.slice(at)
  throw new UsageError(`this is no build of ${tool}: ${rest.slice(0, 3).join(' ')}`, dockerHabit(rest)?.hint)
}

class Translator {
  readonly flags: string[] = []
  readonly contexts: string[] = []
  readonly notes: string[] = []
  readonly #line: ShellLine
  readonly #known = new FlagTable(BUILD_FLAGS)
  readonly #foreign: ReadonlyMap<string, Foreign>

  constructor(line: ShellLine, tool: Tool) {
    this.#line = line
    this.#foreign = foreignFlags(tool)
  }

  run(args: readonly string[]): void {
    for (let at = 0; at < args.length; at++) {
      const word = args[at]!
      if (word === '--') {
        this.contexts.push(...args.slice(at + 1))
        return
      }
      if (word === '-' || !word.startsWith('-')) this.contexts.push(word)
      else if (word.startsWith('--')) at += this.#long(word, args[at + 1])
      else at += this.#short(word, args[at + 1])
    }
  }

  /** A word of which only the shell knows what it is may be the context, or more flags: those of docker's are ours. */
  settle(): void {
    const open = this.contexts.filter((word) => this.#line.isOpen(word))
    const known = this.contexts.length - open.length
    const flags = known > 0 ? open : open.slice(0, -1)
    if (flags.length === 0) return
    this.contexts.splice(0, this.contexts.length, ...this.contexts.filter((word) => !flags.includes(word)))
    this.flags.push(...flags)
    this.notes.push(`passed on as it is: ${flags.map((word) => this.#line.plain(word)).join(' ')}`)
  }

  /** @returns how many words it took beside its own */
  #long(word: string, next: string | undefined): number {
    const equals = word.indexOf('=')
    const name = equals < 0 ? word.slice(2) : word.slice(2, equals)
    const given = equals < 0 ? undefined : word.slice(equals + 1)
    const foreign = this.#foreign.get(name)
    if (foreign !== undefined) return this.#translate(name, foreign, given, next)
    return this.#keep(this.#known.long(name), `--${name}`, given, next)
  }

  #short(word: string, next: string | undefined): number {
    for (let at = 1; at < word.length; at++) {
      const letter = word[at]!
      const rest = word.slice(at + 1)
      const foreign = this.#foreign.get(letter)
      const takesValue = foreign ? foreign.value : this.#known.short(letter, word).type !== 'boolean'
      const given = takesValue && rest !== '' ? rest.replace(/^=/, '') : undefined
      const taken = foreign
        ? this.#translate(letter, foreign, given, next)
        : this.#keep(this.#known.short(letter, word), `-${letter}`, given, next)
      if (takesValue) return taken
    }
    return 0
  }

  #translate(name: string, foreign: Foreign, given: string | undefined, next: string | undefined): number {
    const taken = foreign.value && given === undefined
    const value = taken ? next : given
    if (foreign.value && value === undefined) throw new UsageError(`flag needs an argument: --${name}`)
    const flags = foreign.to?.(value ?? 'true') ?? []
    this.flags.push(...flags)
    if (foreign.note !== undefined) this.notes.push(`--${name}: ${foreign.note}`)
    return taken ? 1 : 0
  }

  /** A flag that is one of ours. @throws UsageError for a value that is wrong */
  #keep(flag: BuildFlag, name: string, given: string | undefined, next: string | undefined): number {
    const taken = flag.type !== 'boolean' && given === undefined
    const value = taken ? next : given
    if (flag.type !== 'boolean' && value === undefined) throw new UsageError(`flag needs an argument: ${name}`)
    const problem = this.#problemOf(flag, value)
    if (problem !== undefined) this.notes.push(problem)
    else if (flag.type === 'boolean') this.flags.push(value === undefined ? name : `${name}=${value}`)
    else this.flags.push(name, value!)
    return taken ? 1 : 0
  }

  /** Why a flag is left out. */
  #problemOf(flag: BuildFlag, value: string | undefined): string | undefined {
    const draft = newDraft({})
    try {
      if (flag.choices && value !== undefined && !isOpenEnded(value) && !flag.choices.includes(value))
        return `left out: --${flag.name} ${value}, since it must be one of ${flag.choices.join(', ')}`
      if (flag.type === 'boolean') flag.set(draft, value !== 'false')
      else if (flag.type === 'string') flag.set(draft, value!)
      else flag.set(draft, flag.type === 'slice' ? value!.split(',') : [value!])
    } catch (error) {
      if (!(error instanceof UsageError)) throw error
      if (error.message.endsWith('is not supported'))
        return `left out: ${error.message}${error.hint === undefined ? '' : ` (${error.hint})`}`
      // What the shell puts there may be right.
      if (value === undefined || !isOpenEnded(value)) throw error
      return undefined
    }
    return draft.notices.length > 0
      ? `left out: ${draft.notices.map((text) => this.#line.plain(text)).join('; ')}`
      : undefined
  }
}
