/**
 * One scanned instruction: keyword, flags, words, with places that are computed when they are asked for (a large file
 * has many more places than anyone looks at).
 */
import type { Location, Range } from '../source.ts'
import { skipSpace, trimEnd } from '../util/go-text.ts'
import type { Flag, Heredoc, RawInstruction, Word } from './ast.ts'
import { dockerfileErrors } from './errors.ts'
import { type FlagSpan, splitFlags } from './flags.ts'
import { parseJsonArguments } from './json.ts'
import type { LogicalLine } from './logical-line.ts'
import { type Escape, findBlank, type Span, splitBlanks, splitNameValues, splitQuoted, wholeText } from './words.ts'

/** What the scanner knows of an instruction before it looks into it. */
export interface ScannedLine {
  readonly line: LogicalLine
  readonly escape: Escape
  readonly comments: readonly string[]
  /** Offsets in the file: first character, end of the last line. */
  readonly start: number
  readonly end: number
}

/** How the arguments of a keyword are split; names are those of the reference's line parsers in short. */
type Grammar = 'text' | 'blanks' | 'json-text' | 'json-blanks' | 'quoted' | 'name-values' | 'health' | 'trigger'

const grammars = new Map<string, Grammar>([
  ['ADD', 'json-blanks'],
  ['ARG', 'quoted'],
  ['CMD', 'json-text'],
  ['COPY', 'json-blanks'],
  ['ENTRYPOINT', 'json-text'],
  ['ENV', 'name-values'],
  ['EXPOSE', 'blanks'],
  ['FROM', 'blanks'],
  ['HEALTHCHECK', 'health'],
  ['LABEL', 'name-values'],
  ['MAINTAINER', 'text'],
  ['ONBUILD', 'trigger'],
  ['RUN', 'json-text'],
  ['SHELL', 'json-text'],
  ['STOPSIGNAL', 'text'],
  ['USER', 'text'],
  ['VOLUME', 'json-blanks'],
  ['WORKDIR', 'text'],
])

const heredocKeywords = new Set(['RUN', 'COPY', 'ADD'])

/** Keyword, flags and arguments of a text; offsets count in the logical line. */
interface Parts {
  readonly keyword: string
  readonly keywordStart: number
  readonly flags: readonly FlagSpan[]
  readonly rest: string
  readonly restStart: number
  readonly form: 'shell' | 'exec'
  /** Offsets count in `rest`. */
  readonly words: readonly Span[]
  /** The keyword and form of an ONBUILD's trigger. */
  readonly trigger: { readonly name: string; readonly form: 'shell' | 'exec' } | undefined
}

/** A scanned instruction that can be given its heredocs. */
export class ScannedInstruction implements RawInstruction {
  readonly keyword: string
  readonly name: string
  readonly form: 'shell' | 'exec'
  readonly heredocs: readonly Heredoc[]
  readonly #scanned: ScannedLine
  readonly #parts: Parts
  readonly #end: number
  #flags: readonly Flag[] | undefined
  #words: readonly Word[] | undefined

  constructor(scanned: ScannedLine, parts: Parts, heredocs: readonly Heredoc[], end: number) {
    this.keyword = parts.keyword
    this.name = parts.keyword.toUpperCase()
    this.form = parts.form
    this.heredocs = heredocs
    this.#scanned = scanned
    this.#parts = parts
    this.#end = end
  }

  /** The same instruction with heredocs, which reach to the offset `end` of the file. */
  withHeredocs(heredocs: readonly Heredoc[], end: number): ScannedInstruction {
    return new ScannedInstruction(this.#scanned, this.#parts, heredocs, end)
  }

  get flags(): readonly Flag[] {
    this.#flags ??= this.#parts.flags.map((span) => new ScannedFlag(this.#scanned.line, span))
    return this.#flags
  }

  get words(): readonly Word[] {
    const { words, restStart } = this.#parts
    this.#words ??= words.map(({ text, start, end }) => {
      return new ScannedWord(text, this.#scanned.line, restStart + start, restStart + end)
    })
    return this.#words
  }

  get rest(): string {
    return this.#parts.rest
  }

  get original(): string {
    return this.#scanned.line.text
  }

  get comments(): readonly string[] {
    return this.#scanned.comments
  }

  get keywordRange(): Range {
    const { keywordStart, keyword } = this.#parts
    return this.#scanned.line.range(keywordStart, keywordStart + keyword.length)
  }

  get range(): Range {
    return this.#scanned.line.source.range(this.#scanned.start, this.#end)
  }

  /** Whether the lines below it may be heredocs of it: RUN, COPY, ADD in shell form, ONBUILD of such. */
  get takesHeredocs(): boolean {
    const { name, form } = this.#parts.trigger ?? this
    return form === 'shell' && heredocKeywords.has(name)
  }
}

class ScannedWord implements Word {
  readonly text: string
  readonly #line: LogicalLine
  readonly #start: number
  readonly #end: number

  constructor(text: string, line: LogicalLine, start: number, end: number) {
    this.text = text
    this.#line = line
    this.#start = start
    this.#end = end
  }

  get range(): Range {
    return this.#line.range(this.#start, this.#end)
  }
}

class ScannedFlag implements Flag {
  readonly name: string
  readonly value: string | undefined
  readonly raw: string
  readonly #line: LogicalLine
  readonly #span: FlagSpan

  constructor(line: LogicalLine, span: FlagSpan) {
    this.name = span.name
    this.value = span.value
    this.raw = line.text.slice(span.start, span.end)
    this.#line = line
    this.#span = span
  }

  get range(): Range {
    return this.#line.range(this.#span.start, this.#span.end)
  }
}

/**
 * Looks into a logical line.
 *
 * @throws what the reference's line parsers refuse: a JSON array with other things than strings, ENV and LABEL
 *   without a value or without `=`
 */
export function makeInstruction(scanned: ScannedLine): ScannedInstruction {
  const { line, escape: escapeChar } = scanned
  const at = (): Location => ({ file: line.source, range: line.source.range(scanned.start, scanned.end) })
  return new ScannedInstruction(scanned, split(line.text, false, escapeChar, at), [], scanned.end)
}

/** @param nested the text is the trigger of an ONBUILD: an ONBUILD in it is not looked into, it is refused anyway */
function split(line: string, nested: boolean, escapeChar: Escape, at: () => Location): Parts {
  const keywordStart = skipSpace(line, 0)
  const end = trimEnd(line, keywordStart, line.length)
  const keywordEnd = Math.min(findBlank(line, keywordStart), end)
  const { flags, rest: restStart } = splitFlags(end === line.length ? line : line.slice(0, end), keywordEnd, escapeChar)
  const start = skipSpace(line, restStart, end)
  const keyword = line.slice(keywordStart, keywordEnd)
  const rest = line.slice(start, end)
  const parts = { keyword, keywordStart, flags, rest, restStart: start }
  return { ...parts, ...splitArguments(keyword.toUpperCase(), rest, nested, escapeChar, at) }
}

function splitArguments(
  name: string,
  rest: string,
  nested: boolean,
  escapeChar: Escape,
  at: () => Location,
): Pick<Parts, 'form' | 'words' | 'trigger'> {
  switch (grammars.get(name)) {
    case 'blanks':
      return shell(splitBlanks(rest))
    case 'quoted':
      return shell(splitQuoted(rest, escapeChar))
    case 'name-values': {
      const { words, problem } = splitNameValues(rest, escapeChar)
      if (problem?.kind === 'missing-value') throw dockerfileErrors.nameWithoutValue([name], { at: at() })
      if (problem?.kind === 'missing-equals') throw dockerfileErrors.missingEquals([problem.word.text], { at: at() })
      return shell(words)
    }
    case 'json-text':
      return maybeJson(rest, wholeText, at)
    case 'json-blanks':
      return maybeJson(rest, splitBlanks, at)
    case 'health': {
      const typeEnd = findBlank(rest, 0)
      const commandStart = findBlank(rest, typeEnd, false)
      const command = maybeJson(rest.slice(commandStart), wholeText, at)
      const type = rest.slice(0, typeEnd)
      const words = type === '' ? [] : [{ text: type, start: 0, end: typeEnd }, ...shift(command.words, commandStart)]
      return { form: command.form, words, trigger: undefined }
    }
    case 'trigger': {
      if (rest === '' || nested) return shell([])
      const { keyword, restStart, form, words } = split(rest, true, escapeChar, at)
      return {
        form: 'shell',
        words: [{ text: keyword, start: 0, end: keyword.length }, ...shift(words, restStart)],
        trigger: { name: keyword.toUpperCase(), form },
      }
    }
    case 'text':
      return shell(wholeText(rest))
    case undefined:
      // An unknown keyword: instructions/ refuses it.
      return shell([])
  }
}

function shell(words: readonly Span[]): Pick<Parts, 'form' | 'words' | 'trigger'> {
  return { form: 'shell', words, trigger: undefined }
}

function maybeJson(
  rest: string,
  otherwise: (text: string) => Span[],
  at: () => Location,
): Pick<Parts, 'form' | 'words' | 'trigger'> {
  const json = parseJsonArguments(rest)
  if (json.kind === 'not-strings') throw dockerfileErrors.notStringArray([], { at: at() })
  if (json.kind === 'not-json') return shell(otherwise(rest))
  return { form: 'exec', words: json.words, trigger: undefined }
}

function shift(words: readonly Span[], by: number): Span[] {
  return words.map(({ text, start, end }) => ({ text, start: start + by, end: end + by }))
}
