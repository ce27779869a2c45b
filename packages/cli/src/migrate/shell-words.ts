/**
 * The words of a shell's command line. What the shell would put in a word's place (`$NAME`, `$(command)`, `~`) is not
 * known here: it becomes a mark in the word, and is written again as it was.
 */
import { UsageError } from '../usage-error.ts'

/** Encloses the number of an expansion; characters that no command line has. */
const [OPEN, CLOSE] = ['\ue000', '\ue001']
const MARK = /\ue000(\d+)\ue001/g
const OPERATORS = new Set('|&;<>()')

export class ShellLine {
  readonly words: string[] = []
  readonly #text: string
  readonly #expansions: { readonly text: string; readonly quoted: boolean }[] = []
  #at = 0

  /** @throws UsageError for what is more than one command, and for quotes that do not end */
  constructor(text: string) {
    this.#text = text.replace(/[\ue000\ue001]/g, '').trim()
    for (;;) {
      this.#skipBlanks()
      if (this.#at >= this.#text.length) break
      this.words.push(this.#word())
    }
  }

  /** A word that may stand for several ones, or for none: an expansion without quotes and nothing else. */
  isOpen(word: string): boolean {
    const [, number] = /^\ue000(\d+)\ue001$/.exec(word) ?? []
    return number !== undefined && !this.#expansions[Number(number)]!.quoted
  }

  /** A word as a shell reads it. */
  quote(word: string): string {
    if (this.isOpen(word)) return this.plain(word)
    if (/^[\w@%+=:,./-]+$/.test(word)) return word
    // A tilde means the home only where no quotes are around it.
    const tilde = /^\ue000(\d+)\ue001/.exec(word)
    if (tilde && this.#expansions[Number(tilde[1])]!.text.startsWith('~')) {
      const rest = word.slice(tilde[0].length)
      return `${this.#expansions[Number(tilde[1])]!.text}${rest === '' ? '' : this.quote(rest)}`
    }
    if (!isOpenEnded(word)) return `'${word.replaceAll("'", `'\\''`)}'`
    return `"${this.plain(word.replace(/[\\"$`]/g, '\\$&'))}"`
  }

  /** A word with its expansions as they were, for messages. */
  plain(word: string): string {
    return word.replace(MARK, (_, number) => this.#expansions[Number(number)]!.text)
  }

  #skipBlanks(): void {
    const blanks = /(?:[ \t]|\\\r?\n)*/y
    blanks.lastIndex = this.#at
    this.#at += blanks.exec(this.#text)![0].length
  }

  #word(): string {
    let word = ''
    if (this.#text[this.#at] === '~') word = this.#expand(/~[\w-]*/y, false)
    for (; this.#at < this.#text.length; ) {
      const char = this.#text[this.#at]!
      if (char === ' ' || char === '\t') break
      if (char === '\n' || char === '\r' || OPERATORS.has(char))
        throw new UsageError(
          `only one command can be read, without ${JSON.stringify(char)}`,
          'give the command alone, without pipes, redirections and other commands',
        )
      if (char === "'") word += this.#singleQuoted()
      else if (char === '"') word += this.#doubleQuoted()
      else if (char === '\\') {
        if (!/^\\\r?\n/.test(this.#text.slice(this.#at, this.#at + 3))) word += this.#text[this.#at + 1] ?? ''
        else if (this.#text[this.#at + 1] === '\r') this.#at++
        this.#at += 2
      } else word += this.#character(false)
    }
    return word
  }

  #singleQuoted(): string {
    const end = this.#text.indexOf("'", this.#at + 1)
    if (end < 0) throw new UsageError('a single quote does not end')
    const text = this.#text.slice(this.#at + 1, end)
    this.#at = end + 1
    return text
  }

  #doubleQuoted(): string {
    let text = ''
    for (this.#at++; this.#at < this.#text.length; ) {
      const char = this.#text[this.#at]!
      if (char === '"') {
        this.#at++
        return text
      }
      const next = this.#text[this.#at + 1]
      if (char === '\\' && next !== undefined && '\\"$`\n'.includes(next)) {
        if (next !== '\n') text += next
        this.#at += 2
      } else text += this.#character(true)
    }
    throw new UsageError('a double quote does not end')
  }

  /** A character, or the expansion that it begins. */
  #character(quoted: boolean): string {
    const rest = this.#text.slice(this.#at, this.#at + 2)
    if (rest === "$'" && !quoted)
      throw new UsageError("$'…' is not read", 'write the characters in single or double quotes')
    if (rest === '${') return this.#expandTo('{', '}', quoted)
    if (rest === '$(') return this.#expandTo('(', ')', quoted)
    if (rest[0] === '`') return this.#expand(/`(?:[^`\\]|\\[\s\S])*`/y, quoted)
    if (/^\$[\w?@*#!$-]/.test(rest)) return this.#expand(/\$(?:[A-Za-z_]\w*|.)/y, quoted)
    return this.#text[this.#at++]!
  }

  #expandTo(open: string, close: string, quoted: boolean): string {
    let depth = 0
    for (let at = this.#at + 1; at < this.#text.length; at++) {
      if (this.#text[at] === open) depth++
      else if (this.#text[at] === close && --depth === 0) return this.#mark(at + 1, quoted)
    }
    throw new UsageError(`$${open} does not end`)
  }

  #expand(pattern: RegExp, quoted: boolean): string {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text)
    if (!found) throw new UsageError('a backquote does not end')
    return this.#mark(this.#at + found[0].length, quoted)
  }

  #mark(end: number, quoted: boolean): string {
    this.#expansions.push({ text: this.#text.slice(this.#at, end), quoted })
    this.#at = end
    return `${OPEN}${this.#expansions.length - 1}${CLOSE}`
  }
}

/** Whether a part of a word is only known to the shell. */
export function isOpenEnded(word: string): boolean {
  return word.includes(OPEN)
}
