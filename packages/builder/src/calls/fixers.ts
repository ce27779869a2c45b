/** How each rule that can be fixed safely is fixed: the edits for one finding. */
import type { RawInstruction } from '../dockerfile/ast.ts'
import type { ParsedDockerfile } from '../instructions/nodes.ts'
import type { LintFacts } from '../lint/index.ts'
import { cased, majorityCasing } from '../lint/rules/consistent-instruction-casing.ts'
import { fittingAs } from '../lint/rules/from-as-casing.ts'
import { type Edit, replaceRange } from './edits.ts'
import { fixCommand } from './fix-command.ts'
import { keyValueText, labelValue } from './key-value.ts'
import { lineSpan } from './locations.ts'

/** The finding's instruction and what is known around it. */
export interface FixScope {
  readonly parsed: ParsedDockerfile
  readonly facts: LintFacts
  readonly instruction: RawInstruction
}

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

function fixKeyword({ parsed, instruction }: FixScope): Edit[] {
  const inStages = parsed.stages.flatMap((stage) => [stage.from.raw, ...stage.instructions.map((node) => node.raw)])
  return [replaceRange(instruction.keywordRange, cased(instruction.keyword, majorityCasing(inStages)))]
}

function fixAs({ instruction }: FixScope): Edit[] {
  const wanted = fittingAs(instruction)
  return wanted === undefined ? [] : [replaceRange(instruction.words[1]!.range, wanted)]
}

/** The name where it is given and where it is used: `FROM name`, `--from=name`, `--mount=…,from=name`. */
function fixStageName({ parsed, instruction }: FixScope): Edit[] {
  const name = instruction.words[2]!
  const lower = name.text.toLowerCase()
  const edits = [replaceRange(name.range, lower)]
  for (const other of parsed.dockerfile.instructions) {
    if (other.range.start.offset <= instruction.range.start.offset) continue
    const base = other.words[0]
    if (other.name === 'FROM' && base?.text === name.text) edits.push(replaceRange(base.range, lower))
    for (const flag of other.flags) {
      const value = flag.name === 'from' ? flag.value : undefined
      const renamed =
        value === name.text
          ? `--from=${lower}`
          : flag.name === 'mount'
            ? `--mount=${renameInMount(flag.value ?? '', name.text, lower)}`
            : flag.raw
      if (renamed !== flag.raw && onOneLine(flag.range)) edits.push(replaceRange(flag.range, renamed))
    }
  }
  return edits
}

function renameInMount(fields: string, name: string, lower: string): string {
  return fields
    .split(',')
    .map((field) => (field === `from=${name}` ? `from=${lower}` : field))
    .join(',')
}

/** Blank lines between the first and the last line of the instruction's head. */
function fixEmptyLines({ parsed, instruction }: FixScope): Edit[] {
  const { source } = parsed.dockerfile
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
function fixKeyValue({ parsed, instruction }: FixScope): Edit[] {
  if (!onOneLine(instruction.range)) return []
  const node = parsed.stages.flatMap((stage) => stage.instructions).find((other) => other.raw === instruction)
  if (node?.kind !== 'ENV' && node?.kind !== 'LABEL') return []
  const pair = node.pairs[0]
  const text = pair && keyValueText(pair, parsed.dockerfile.escape)
  return text === undefined ? [] : [replaceRange(argumentRange(parsed, instruction), text)]
}

function fixMaintainer({ parsed, instruction }: FixScope): Edit[] {
  if (!onOneLine(instruction.range)) return []
  const keyword = cased('label', instruction.keyword === instruction.keyword.toLowerCase() ? 'lowercase' : 'uppercase')
  const value = labelValue(instruction.rest.trim(), parsed.dockerfile.escape)
  const text = `${keyword} org.opencontainers.image.authors=${value}`
  const { start } = instruction.keywordRange
  return [{ start: start.offset, end: argumentRange(parsed, instruction).end.offset, text }]
}

function fixRedundantPlatform({ parsed, instruction }: FixScope): Edit[] {
  const flag = instruction.flags.find(({ name }) => name === 'platform')
  if (flag === undefined || !onOneLine(flag.range)) return []
  const after = parsed.dockerfile.source.text.slice(flag.range.end.offset)
  const blanks = /^[ \t]+/.exec(after)?.[0].length ?? 0
  return [{ start: flag.range.start.offset, end: flag.range.end.offset + blanks, text: '' }]
}

function fixProtocol({ instruction }: FixScope): Edit[] {
  return instruction.words.flatMap(({ text, range }) => {
    const lower = text.replace(/\/[A-Za-z]+$/, (protocol) => protocol.toLowerCase())
    return lower === text ? [] : [replaceRange(range, lower)]
  })
}

/** From the first argument to the end of the text on an instruction's only line. */
function argumentRange({ dockerfile }: ParsedDockerfile, instruction: RawInstruction) {
  const { source } = dockerfile
  const { start } = instruction.keywordRange
  const line = source.lines(start.line, start.line)
  const text = source.text.slice(line.start.offset, line.end.offset).trimEnd()
  const from = instruction.flags.at(-1)?.range.end ?? instruction.keywordRange.end
  const blanks = /^\s*/.exec(text.slice(from.column))![0].length
  return source.range(from.offset + blanks, line.start.offset + text.length)
}

function onOneLine(range: RawInstruction['range']): boolean {
  const { first, last } = lineSpan(range)
  return first === last
}
