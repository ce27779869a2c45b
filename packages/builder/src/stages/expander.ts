/** Expansion of one Dockerfile's texts: its escape character, and places for what goes wrong. */
import { type Dockerfile, locateText, type RawInstruction } from '../dockerfile/ast.ts'
import { type Expansion, expandForDisplay, expandHeredoc, expandWord, tryExpand } from '../dockerfile/expand.ts'
import { BuildError } from '../errors.ts'
import type { EnvList } from '../graph/env-list.ts'

export class Expander {
  readonly #dockerfile: Dockerfile

  constructor(dockerfile: Dockerfile) {
    this.#dockerfile = dockerfile
  }

  /** One word: variables replaced, quotes and escapes gone. */
  word(text: string, env: EnvList, raw: RawInstruction): string {
    return this.expansion(text, env, raw).value
  }

  /** One word, with the names that it uses. */
  expansion(text: string, env: EnvList, raw: RawInstruction): Expansion {
    return this.#located(raw, text, () => expandWord(text, env, this.#dockerfile.escape))
  }

  /** As {@link expansion}; with an error, the names tell what was met before it. */
  tryExpansion(text: string, env: EnvList, raw: RawInstruction): ReturnType<typeof tryExpand> {
    const expansion = tryExpand(text, env, { escape: this.#dockerfile.escape })
    return { ...expansion, error: expansion.error?.with({ at: locateText(this.#dockerfile, raw, text) }) }
  }

  /** A text that may become several words. */
  words(text: string, env: EnvList, raw: RawInstruction): readonly string[] {
    return this.expansion(text, env, raw).words
  }

  /** The content of a COPY heredoc. */
  heredoc(content: string, env: EnvList, raw: RawInstruction): string {
    return this.#located(raw, content, () => expandHeredoc(content, env).value)
  }

  /**
   * An instruction for people: the keyword in capitals, variables replaced. What a shell reads keeps its quotes and the
   * variables that are not known. Never throws.
   */
  label(original: string, env: { get(name: string): string | undefined }, forShell = false): string {
    const [keyword = '', ...rest] = original.split(' ')
    const text = [keyword.toUpperCase(), ...rest].join(' ')
    try {
      const expand = forShell ? expandForDisplay : expandWord
      return expand(text, env, this.#dockerfile.escape).value
    } catch {
      return text
    }
  }

  #located<T>(raw: RawInstruction, text: string, work: () => T): T {
    try {
      return work()
    } catch (error) {
      throw error instanceof BuildError ? error.with({ at: locateText(this.#dockerfile, raw, text) }) : error
    }
  }
}
