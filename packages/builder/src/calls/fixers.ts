/** How each rule that can be fixed safely is fixed: the edits for one finding. */
import type { RawInstruction } from '../dockerfile/ast.ts'
import { cased } from '../lint/rules/consistent-instruction-casing.ts'
import { fittingAs } from '../lint/rules/from-as-casing.ts'
import type { Range, SourceFile } from '../source.ts'
import { lineSpan } from '../source.ts'
import { type Edit, replaceRange } from './edits.ts'
import { fixCommand } from './fix-command.ts'
import type { FixScope } from './fix-index.ts'
import { keyValueText, labelValue } from './key-value.ts'

export type Fixer = (scope: FixScope) => readonly Edit[]

/** By rule name; rules without an entry are left to the author. */
export const fixers: ReadonlyMap<string, Fixer> = new Map<string, Fixer>([
  ['ConsistentInstructionCasing', fixKeyword],
  ['FromAsCasing', fixAs],
  ['StageNameCasing', fixStageName],
  ['NoEmptyContinuation', fixEmptyLines],
  ['LegacyKeyValueFormat', fixKeyValue],
  ['MaintainerDeprecated', fixMaintainer],
  ['JSONArgsRecommended', fixCommand],
  ['RedundantTargetPlatform', fixRedundantPlatform],
  ['ExposeProtoCasing', fixProtocol],
])

/** The `as` of a FROM goes along with its keyword, unless the two were meant to differ. */
function fixKeyword({ index, instruction, found }: FixScope): Edit[] {
  // Replaced as a whole below.
  if (found('MaintainerDeprecated') && onOneLine(instruction.range)) return []
  const edits = [replaceRange(instruction.keywordRange, cased(instruction.keyword, index.casing))]
  const as = instruction.name === 'FROM' ? instruction.words[1] : undefined
  if (as && (fittingAs(instruction) === undefined || found('FromAsCasing'))) {
    edits.push(replaceRange(as.range, cased(as.text, index.casing)))
  }
  return edits
}

function fixAs({ instruction, found }: FixScope): Edit[] {
  const wanted = found('ConsistentInstructionCasing') ? undefined : fittingAs(instruction)
  return wanted === undefined ? [] : [replaceRange(instruction.words[1]!.range, wanted)]
}

/** The name where it is given and where it is used: `FROM name`, `--from=name`, `--mount=…,from=name`. */
function fixStageName({ index, instruction }: FixScope): Edit[] {
  const name = instruction.words[2]!
  const lower = name.text.toLowerCase()
  const uses = index.usesOf(name.text, instruction)
  return [replaceRange(name.range, lower), ...uses.map(({ range, renamed }) => replaceRange(range, renamed(lower)))]
}

/** Blank lines between the first and the last line of the instruction's head. */
function fixEmptyLines({ index, instruction }: FixScope): Edit[] {
  const { source } = index.parsed.dockerfile
  const { first } = lineSpan(instruction.range)
  const heredoc = instruction.heredocs[0]
  const last = heredoc ? heredoc.range.start.line - 1 : lineSpan(instruction.range).last
  const edits: Edit[] = []
  for (let line = first + 1; line <= last; line++) {
    if (source.line(line).trim() === '') edits.push(replaceRange(source.lines(line, line), ''))
  }
  return edits
}

/** Only on one line: what continues over several lines keeps its layout. */
function fixKeyValue({ index, instruction }: FixScope): Edit[] {
  if (!onOneLine(instruction.range)) return []
  const node = index.nodeOf(instruction)
  const { dockerfile } = index.parsed
  if (node?.kind !== 'ENV' && node?.kind !== 'LABEL') return []
  const pair = node.pairs[0]
  const text = pair && keyValueText(pair, dockerfile.escape)
  return text === undefined ? [] : [replaceRange(argumentRange(dockerfile.source, instruction), text)]
}

function fixMaintainer({ index, instruction, found }: FixScope): Edit[] {
  if (!onOneLine(instruction.range)) return []
  const { dockerfile } = index.parsed
  const own = instruction.keyword === instruction.keyword.toLowerCase() ? 'lowercase' : 'uppercase'
  const keyword = cased('label', found('ConsistentInstructionCasing') ? index.casing : own)
  const value = labelValue(instruction.rest.trim(), dockerfile.escape)
  const text = `${keyword} org.opencontainers.image.authors=${value}`
  const { start } = instruction.keywordRange
  return [{ start: start.offset, end: argumentRange(dockerfile.source, instruction).end.offset, text }]
}

function fixRedundantPlatform({ index, instruction }: FixScope): Edit[] {
  const flag = instruction.flags.find(({ name }) => name === 'platform')
  if (flag === undefined || !onOneLine(flag.range)) return []
  const after = index.parsed.dockerfile.source.text.slice(flag.range.end.offset)
  const blanks = /^[ \t]+/.exec(after)?.[0].length ?? 0
  return [{ start: flag.range.start.offset, end: flag.range.end.offset + blanks, text: '' }]
}

function fixProtocol({ instruction }: FixScope): Edit[] {
  // A trigger of the base image is shown at FROM.
  if (instruction.name !== 'EXPOSE') return []
  return instruction.words.flatMap(({ text, range }) => {
    const lower = text.replace(/\/[A-Za-z]+$/, (protocol) => protocol.toLowerCase())
    return lower === text ? [] : [replaceRange(range, lower)]
  })
}

/** From the first argument to the end of the text on an instruction's only line. */
function argumentRange(source: SourceFile, instruction: RawInstruction): Range {
  const { start } = instruction.keywordRange
  const line = source.lines(start.line, start.line)
  const text = source.text.slice(line.start.offset, line.end.offset).trimEnd()
  const from = instruction.flags.at(-1)?.range.end ?? instruction.keywordRange.end
  const blanks = /^\s*/.exec(text.slice(from.column))![0].length
  return source.range(from.offset + blanks, line.start.offset + text.length)
}

function onOneLine(range: Range): boolean {
  const { first, last } = lineSpan(range)
  return first === last
}
