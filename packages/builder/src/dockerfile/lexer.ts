/** Reads one text with variables and quotes: the recursive part of expand.ts. */
import type { BuildError } from '../errors.ts'
import { skipSpace } from '../util/go-text.ts'
import { dockerfileErrors } from './errors.ts'
import {
  PatternBudget,
  PatternProblem,
  parseShellPattern,
  replacePattern,
  trimPrefix,
  trimSuffix,
} from './shell-pattern.ts'
import type { WordList } from './word-list.ts'
import type { Escape } from './words.ts'

/** Where values come from: a Map, or anything else with `get`. */
export interface Variables {
  get(name: string): string | undefined
}

/** How a text is read; what is not set is off. */
export interface ExpandOptions {
  readonly escape: Escape
  /** Quotes stay in the result. */
  readonly rawQuotes?: boolean
  /** Escape characters stay in the result. */
  readonly rawEscapes?: boolean
  /** Quotes are characters like others: texts of heredocs. */
  readonly ignoreQuotes?: boolean
  /** Variables without a value stay as they are written. */
  readonly keepUnset?: boolean
}

/** Characters that variables may add to one text. */
const maxGrowth = 1024 * 1024
const maxDepth = 200

/** A reason why a text cannot be expanded, on its way to the caller of the lexer. */
export class Problem extends Error {}

const dollar = 0x24
const lessThan = 0x3c
const singleQuote = 0x27
const doubleQuote = 0x22

/** Used for one text. */
export class Lexer {
  readonly #text: string
  readonly #variables: Variables
  readonly #options: ExpandOptions
  readonly #escape: number
  readonly used = new Set<string>()
  readonly unset = new Set<string>()
  #at = 0
  readonly #budget = new PatternBudget()
  #depth = 0
  #grown = 0
  #tooLarge = false

  constructor(text: string, variables: Variables, options: ExpandOptions) {
    this.#text = text
    this.#variables = variables
    this.#options = options
    this.#escape = options.escape.charCodeAt(0)
  }

  toError(reason: string): BuildError {
    if (this.#tooLarge) return dockerfileErrors.expansionTooLarge([this.#text])
    return dockerfileErrors.badSubstitution([this.#text, reason])
  }

  /** Reads up to `stop` (and past it) or, if it is '', to the end; collects words if asked to. */
  read(stop: '' | '}' | '/', rawEscapes: boolean, words?: WordList): string {
    if (++this.#depth > maxDepth) throw new Problem('variables are nested too deeply')
    const text = this.#text
    const quotes = this.#options.ignoreQuotes !== true
    // Blanks behind `<<` belong to the word: it may be the head of a heredoc.
    const heads = quotes && words !== undefined
    const stopCode = stop === '' ? -1 : stop.charCodeAt(0)
    let out = ''
    while (this.#at < text.length) {
      const start = this.#at
      let code = text.charCodeAt(start)
      while (
        code !== stopCode &&
        code !== dollar &&
        code !== this.#escape &&
        !(quotes && (code === singleQuote || code === doubleQuote)) &&
        !(heads && code === lessThan) &&
        ++this.#at < text.length
      ) {
        code = text.charCodeAt(this.#at)
      }
      if (this.#at > start) {
        const plain = text.slice(start, this.#at)
        out += plain
        words?.add(plain)
        continue
      }
      if (code === stopCode) {
        this.#at++
        this.#depth--
        return out
      }
      if (code === dollar) {
        const value = this.#readVariable()
        out += value
        words?.add(value)
      } else if (code === this.#escape) {
        this.#at++
        const escaped = this.#takeChar()
        const kept = rawEscapes ? this.#options.escape + escaped : escaped
        out += kept
        if (kept !== '') words?.addRaw(kept)
      } else if (code === lessThan) {
        this.#at++
        if (text.charCodeAt(this.#at) === lessThan) this.#at = skipSpace(text, this.#at + 1)
        const head = text.slice(start, this.#at)
        out += head
        words?.addRaw(head)
      } else {
        const quoted = code === singleQuote ? this.#readSingleQuoted() : this.#readDoubleQuoted(rawEscapes)
        out += quoted
        words?.addRaw(quoted)
      }
    }
    if (stop !== '') throw new Problem(`unexpected end of statement while looking for matching ${stop}`)
    return out
  }

  /** The character at the position, a whole one also outside the BMP; '' at the end. */
  #takeChar(): string {
    const code = this.#text.codePointAt(this.#at)
    if (code === undefined) return ''
    const char = String.fromCodePoint(code)
    this.#at += char.length
    return char
  }

  #readSingleQuoted(): string {
    const end = this.#text.indexOf("'", this.#at + 1)
    if (end < 0) {
      this.#at = this.#text.length
      throw new Problem('unexpected end of statement while looking for matching single-quote')
    }
    const raw = this.#text.slice(this.#at, end + 1)
    this.#at = end + 1
    return this.#options.rawQuotes === true ? raw : raw.slice(1, -1)
  }

  #readDoubleQuoted(rawEscapes: boolean): string {
    const mark = this.#options.rawQuotes === true ? '"' : ''
    const text = this.#text
    let out = mark
    let start = ++this.#at
    while (this.#at < text.length) {
      const code = text.charCodeAt(this.#at)
      if (code !== doubleQuote && code !== dollar && code !== this.#escape) {
        this.#at++
        continue
      }
      out += text.slice(start, this.#at)
      if (code === doubleQuote) {
        this.#at++
        return out + mark
      }
      if (code === dollar) out += this.#readVariable()
      else {
        this.#at++
        const next = text.charCodeAt(this.#at)
        // Only quote, dollar and the escape itself can be escaped here; before others the escape stays.
        const special = next === doubleQuote || next === dollar || next === this.#escape
        if (rawEscapes) out += this.#options.escape
        if (special) out += text[this.#at++]
        else if (this.#at < text.length) out += this.#options.escape
      }
      start = this.#at
    }
    throw new Problem('unexpected end of statement while looking for matching double-quote')
  }

  #readVariable(): string {
    this.#at++
    if (this.#text[this.#at] !== '{') {
      const name = this.#readName()
      if (name === '') return '$'
      const value = this.#lookUp(name)
      return value === undefined ? (this.#options.keepUnset ? `$${name}` : '') : this.#grow(value)
    }
    this.#at++
    const first = this.#text[this.#at]
    if (first === undefined) throw new Problem("syntax error: missing '}'")
    if (first === '{' || first === '}' || first === ':') throw new Problem('syntax error: bad substitution')
    return this.#readBraced(this.#readName())
  }

  /** What follows the name in `${name…}`. */
  #readBraced(name: string): string {
    let operator = this.#takeChar()
    switch (operator) {
      case '':
        throw new Problem("syntax error: missing '}'")
      case '}': {
        const value = this.#lookUp(name)
        return value === undefined ? (this.#options.keepUnset ? `\${${name}}` : '') : this.#grow(value)
      }
      case '/':
        return this.#replace(name)
      case ':':
        operator += this.#takeChar()
        break
      case '+':
      case '-':
      case '?':
      case '#':
      case '%':
        break
      default:
        throw new Problem(`unsupported modifier (${operator}) in substitution`)
    }
    const kind = operator.slice(-1)
    const pattern = kind === '#' || kind === '%'
    const word = this.#readNested('}', pattern, "syntax error: missing '}'")
    const value = this.#lookUp(name)
    if (value === undefined && this.#options.keepUnset) return `\${${name}${operator}${word}}`
    const missing = value === undefined || (value === '' && operator.startsWith(':'))
    switch (kind) {
      case '-':
        return missing ? word : this.#grow(value)
      case '+':
        return missing ? '' : word
      case '?':
        if (!missing) return this.#grow(value)
        if (word !== '') throw new Problem(`${name}: ${word}`)
        throw new Problem(`${name}: is not allowed to be ${value === undefined ? 'unset' : 'empty'}`)
      case '#':
      case '%':
        return this.#trim(value ?? '', kind, word)
      default:
        throw new Problem(`unsupported modifier (${operator}) in substitution`)
    }
  }

  #trim(value: string, kind: '#' | '%', word: string): string {
    const longest = word.startsWith(kind)
    const pattern = longest ? word.slice(1) : word
    const trim = kind === '#' ? trimPrefix : trimSuffix
    return this.#match(value, pattern, () => trim(value, parseShellPattern(pattern), longest, this.#budget))
  }

  /** `${name/pattern/replacement}`, behind the first slash. */
  #replace(name: string): string {
    const all = this.#text[this.#at] === '/'
    if (all) this.#at++
    const pattern = this.#readNested('/', true, `syntax error: missing '/' in \${}`)
    const replacement = this.#readNested('}', true, "syntax error: missing '}'")
    const value = this.#lookUp(name)
    if (value === undefined && this.#options.keepUnset) return `\${${name}/${pattern}/${replacement}}`
    return this.#match(value ?? '', pattern, () =>
      replacePattern(value ?? '', parseShellPattern(pattern), replacement, all, maxGrowth, this.#budget),
    )
  }

  /** Runs an operation on a value; both the value and the result count as growth, since both cost work. */
  #match(value: string, pattern: string, run: () => string): string {
    this.#grow(value)
    try {
      return this.#grow(run())
    } catch (error) {
      if (!(error instanceof PatternProblem)) throw error
      throw new Problem(`invalid pattern (${pattern}) in substitution: ${error.message}`)
    }
  }

  /** A word within `${…}`; whatever goes wrong at the end of the text is reported as the missing terminator. */
  #readNested(stop: '}' | '/', rawEscapes: boolean, missing: string): string {
    try {
      return this.read(stop, rawEscapes)
    } catch (error) {
      if (error instanceof Problem && this.#at >= this.#text.length && !this.#tooLarge) throw new Problem(missing)
      throw error
    }
  }

  /** A name: digits, one special character (`@*#?-$!`), or letters, digits and `_`. */
  #readName(): string {
    const start = this.#at
    const first = this.#text[start]
    if (first === undefined) return ''
    if ('@*#?-$!'.includes(first)) {
      this.#at++
      return first
    }
    const digitsOnly = isDigit(this.#text.codePointAt(start)!)
    for (let code = this.#text.codePointAt(this.#at); code !== undefined; code = this.#text.codePointAt(this.#at)) {
      if (!(isDigit(code) || (!digitsOnly && (code === 0x5f || isLetter(code))))) break
      this.#at += code > 0xffff ? 2 : 1
    }
    return this.#text.slice(start, this.#at)
  }

  #lookUp(name: string): string | undefined {
    const value = this.#variables.get(name)
    if (value === undefined) this.unset.add(name)
    else this.used.add(name)
    return value
  }

  #grow(value: string): string {
    this.#grown += value.length
    if (this.#grown > maxGrowth) {
      this.#tooLarge = true
      throw new Problem('')
    }
    return value
  }
}

function isDigit(code: number): boolean {
  if (code < 0x80) return code >= 0x30 && code <= 0x39
  return /\p{Nd}/u.test(String.fromCodePoint(code))
}

function isLetter(code: number): boolean {
  if (code < 0x80) return (code | 0x20) >= 0x61 && (code | 0x20) <= 0x7a
  return /\p{L}/u.test(String.fromCodePoint(code))
}
