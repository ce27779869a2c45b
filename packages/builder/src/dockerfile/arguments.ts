/** Looks into the text of one instruction: keyword, flags, form and words of its arguments. */
import { skipSpace, trimEnd } from '../util/go-text.ts'
import { dockerfileErrors } from './errors.ts'
import { type FlagSpan, isFlag, splitFlags } from './flags.ts'
import { parseJsonArguments } from './json.ts'
import { type KeywordInfo, keywordInfo } from './keywords.ts'
import {
  type Escape,
  findBlank,
  type Span,
  skipBlanks,
  splitBlanks,
  splitNameValues,
  splitQuoted,
  wholeText,
} from './words.ts'

/** The parts of an instruction; offsets count in its text. */
export interface Parts {
  readonly info: KeywordInfo
  readonly keywordStart: number
  readonly keywordEnd: number
  readonly flags: readonly FlagSpan[]
  readonly restStart: number
  readonly restEnd: number
  readonly form: 'shell' | 'exec'
  /** undefined: the rest is one word. */
  readonly words: readonly Span[] | undefined
  /** Whether heredocs may follow: RUN, COPY, ADD in shell form, ONBUILD of such. */
  readonly heredocs: boolean
}

const noFlags: readonly FlagSpan[] = []

/**
 * Splits [from, to) of a text, which holds one instruction.
 *
 * @param nested it is the trigger of an ONBUILD: an ONBUILD in it is not looked into, it is refused anyway
 * @throws what the reference's line parsers refuse, without a place: a JSON array with other things than strings, ENV
 *   and LABEL without a value or without `=`
 */
export function splitInstruction(text: string, from: number, to: number, escapeChar: Escape, nested = false): Parts {
  const keywordStart = skipSpace(text, from, to)
  const restEnd = trimEnd(text, keywordStart, to)
  const keywordEnd = findBlank(text, keywordStart, restEnd)
  const info = keywordInfo(text, keywordStart, keywordEnd)
  let restStart = skipSpace(text, keywordEnd, restEnd)
  let flags = noFlags
  if (isFlag(text, restStart, restEnd)) {
    const found = splitFlags(text, restStart, restEnd, escapeChar)
    flags = found.flags
    restStart = skipSpace(text, found.rest, restEnd)
  }
  let form: Parts['form'] = 'shell'
  let words: Parts['words']
  let heredocs = info.heredocs
  switch (info.grammar) {
    case 'text':
      break
    case 'json-text':
      words = jsonWords(text, restStart, restEnd)
      if (words !== undefined) form = 'exec'
      break
    case 'json-blanks':
      words = jsonWords(text, restStart, restEnd)
      if (words !== undefined) form = 'exec'
      else words = splitBlanks(text, restStart, restEnd)
      break
    case 'blanks':
      words = splitBlanks(text, restStart, restEnd)
      break
    case 'quoted':
      words = splitQuoted(text, restStart, restEnd, escapeChar)
      break
    case 'name-values':
      words = nameValues(text, restStart, restEnd, escapeChar, info.name)
      break
    case 'health': {
      const typeEnd = findBlank(text, restStart, restEnd)
      const commandStart = skipBlanks(text, typeEnd, restEnd)
      const command = jsonWords(text, commandStart, restEnd)
      if (command !== undefined) form = 'exec'
      words = [...wholeText(text, restStart, typeEnd), ...(command ?? wholeText(text, commandStart, restEnd))]
      break
    }
    case 'trigger': {
      words = []
      if (restStart === restEnd || nested) break
      const trigger = splitInstruction(text, restStart, restEnd, escapeChar, true)
      const keyword = wholeText(text, trigger.keywordStart, trigger.keywordEnd)
      words = [...keyword, ...(trigger.words ?? wholeText(text, trigger.restStart, trigger.restEnd))]
      heredocs = trigger.heredocs
      break
    }
    case 'none':
      words = []
  }
  heredocs &&= form === 'shell'
  return { info, keywordStart, keywordEnd, flags, restStart, restEnd, form, words, heredocs }
}

function jsonWords(text: string, start: number, end: number): Span[] | undefined {
  const words = parseJsonArguments(text, start, end)
  if (words === 'not-strings') throw dockerfileErrors.notStringArray([])
  return words
}

function nameValues(text: string, start: number, end: number, escapeChar: Escape, name: string): readonly Span[] {
  const { words, problem } = splitNameValues(text, start, end, escapeChar)
  if (problem?.kind === 'missing-value') throw dockerfileErrors.nameWithoutValue([name])
  if (problem) throw dockerfileErrors.missingEquals([problem.word.text])
  return words
}
