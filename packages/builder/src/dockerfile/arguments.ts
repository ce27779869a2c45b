/** Looks into the text of one instruction: keyword, flags, form and words of its arguments. */
import { skipSpace, trimEnd } from '../util/go-text.ts'
import type { Flag } from './ast.ts'
import { dockerfileErrors } from './errors.ts'
import { isFlag, splitFlags } from './flags.ts'
import { parseJsonArguments } from './json.ts'
import { type KeywordInfo, keywordInfo } from './keywords.ts'
import {
  type Escape,
  findBlank,
  type NameValues,
  type PlacedText,
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
  readonly flags: readonly Flag[]
  readonly restStart: number
  readonly restEnd: number
  readonly form: 'shell' | 'exec'
  /** ENV and LABEL: `name value`. */
  readonly legacy: boolean
  /** undefined: the rest is one word. */
  readonly words: readonly Span[] | undefined
  /** Whether heredocs may follow: RUN, COPY, ADD in shell form, ONBUILD of such. */
  readonly heredocs: boolean
}

const noFlags: readonly Flag[] = []

/**
 * Splits [from, to) of a text, which holds one instruction.
 *
 * @param nested it is the trigger of an ONBUILD: an ONBUILD in it is not looked into, it is refused anyway
 * @throws what the reference's line parsers refuse, without a place: a JSON array with other things than strings, ENV
 *   and LABEL without a value or without `=`
 */
export function splitInstruction(
  source: PlacedText,
  from: number,
  to: number,
  escapeChar: Escape,
  nested = false,
): Parts {
  const { text } = source
  const keywordStart = skipSpace(text, from, to)
  const restEnd = trimEnd(text, keywordStart, to)
  const keywordEnd = findBlank(text, keywordStart, restEnd)
  const info = keywordInfo(text, keywordStart, keywordEnd)
  let restStart = skipSpace(text, keywordEnd, restEnd)
  let flags = noFlags
  if (isFlag(text, restStart, restEnd)) {
    const found = splitFlags(source, restStart, restEnd, escapeChar)
    flags = found.flags
    restStart = skipSpace(text, found.rest, restEnd)
  }
  let form: Parts['form'] = 'shell'
  let words: Parts['words']
  let legacy = false
  let heredocs = info.heredocs
  switch (info.grammar) {
    case 'text':
      break
    case 'json-text':
      words = jsonWords(source, restStart, restEnd)
      if (words !== undefined) form = 'exec'
      break
    case 'json-blanks':
      words = jsonWords(source, restStart, restEnd)
      if (words !== undefined) form = 'exec'
      else words = splitBlanks(source, restStart, restEnd)
      break
    case 'blanks':
      words = splitBlanks(source, restStart, restEnd)
      break
    case 'quoted':
      words = splitQuoted(source, restStart, restEnd, escapeChar)
      break
    case 'name-values': {
      const found = nameValues(source, restStart, restEnd, escapeChar, info.name)
      words = found.words
      legacy = found.legacy
      break
    }
    case 'health': {
      const typeEnd = findBlank(text, restStart, restEnd)
      const commandStart = skipBlanks(text, typeEnd, restEnd)
      const command = jsonWords(source, commandStart, restEnd)
      if (command !== undefined) form = 'exec'
      words = [...wholeText(source, restStart, typeEnd), ...(command ?? wholeText(source, commandStart, restEnd))]
      break
    }
    case 'trigger': {
      words = []
      if (restStart === restEnd || nested) break
      const trigger = splitInstruction(source, restStart, restEnd, escapeChar, true)
      const keyword = wholeText(source, trigger.keywordStart, trigger.keywordEnd)
      words = [...keyword, ...(trigger.words ?? wholeText(source, trigger.restStart, trigger.restEnd))]
      heredocs = trigger.heredocs
      break
    }
    case 'none':
      words = []
  }
  heredocs &&= form === 'shell'
  return { info, keywordStart, keywordEnd, flags, restStart, restEnd, form, legacy, words, heredocs }
}

function jsonWords(source: PlacedText, start: number, end: number): Span[] | undefined {
  const words = parseJsonArguments(source, start, end)
  if (words === 'not-strings') throw dockerfileErrors.notStringArray([])
  return words
}

function nameValues(source: PlacedText, start: number, end: number, escapeChar: Escape, name: string): NameValues {
  const found = splitNameValues(source, start, end, escapeChar)
  if (found.problem?.kind === 'missing-value') throw dockerfileErrors.nameWithoutValue([name])
  if (found.problem) throw dockerfileErrors.missingEquals([found.problem.word.text])
  return found
}
