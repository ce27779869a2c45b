/** CMD in shell form as JSON, where both run the same program with the same arguments. */
import type { RawInstruction } from '../dockerfile/ast.ts'
import { lineSpan } from '../source.ts'
import type { Edit } from './edits.ts'
import type { FixIndex, FixScope } from './fix-index.ts'

/** Words that a shell hands on unchanged. */
const plainWord = /^[A-Za-z0-9_./:@%+,-][A-Za-z0-9_./:@%+,=-]*$/

/** Commands that only a shell knows, and reserved words. */
const shellOnly: ReadonlySet<string> = new Set(
  (
    '. : alias bg break builtin case cd command continue declare do done elif else esac eval exec exit export fc fg fi for ' +
    'function getopts hash if in jobs let local read readonly return select set shift source then times trap type typeset ' +
    'ulimit umask unalias unset until wait while'
  ).split(' '),
)

/**
 * The JSON form of a CMD, if it means the same: plain words, no SHELL, and no ENTRYPOINT that would receive the words.
 * An ENTRYPOINT is never rewritten: in JSON form it would begin to take the arguments of `docker run`.
 */
export function fixCommand({ index, instruction }: FixScope): readonly Edit[] {
  const node = index.nodeOf(instruction)
  if (node?.kind !== 'CMD' || node.command.form !== 'shell' || node.command.heredocs.length > 0) return []
  if (mayHaveEntrypoint(index, instruction)) return []
  const words = node.command.text.trim().split(/[ \t]+/)
  if (!words.every((word) => plainWord.test(word)) || words[0]!.includes('=') || shellOnly.has(words[0]!)) return []
  const { first, last } = lineSpan(instruction.range)
  if (first !== last) return []
  const { source } = index.parsed.dockerfile
  const start = instruction.keywordRange.end.offset
  const line = source.lines(first, first)
  const end = line.start.offset + source.text.slice(line.start.offset, line.end.offset).trimEnd().length
  return [{ start, end, text: ` [${words.map((word) => JSON.stringify(word)).join(', ')}]` }]
}

/** Whether the stage, one it builds on, or the image sets ENTRYPOINT. */
function mayHaveEntrypoint(index: FixIndex, instruction: RawInstruction): boolean {
  let stage = index.stageOf(instruction)
  if (stage === undefined) return true
  for (; ; stage = stage.base) {
    if (stage.stage?.instructions.some((node) => node.kind === 'ENTRYPOINT')) return true
    if (stage.base === undefined) break
  }
  return (stage.image?.config.config?.Entrypoint?.length ?? 0) > 0
}
