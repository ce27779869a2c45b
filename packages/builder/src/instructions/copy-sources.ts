/** Sources and destination of COPY and ADD. */
import type { Heredoc, RawInstruction } from '../dockerfile/ast.ts'
import { type HeredocHead, tryHeredocHead } from '../dockerfile/heredoc.ts'
import { instructionErrors } from './errors.ts'
import type { CopyNode } from './nodes.ts'

/**
 * Splits the arguments; a source that is the head of a heredoc becomes a file with its text.
 *
 * @throws INSTRUCTION_HEREDOC_DESTINATION
 */
export function copySources(raw: RawInstruction): Pick<CopyNode, 'sources' | 'contents' | 'dest'> {
  const { words } = raw
  const dest = words.at(-1)!.text
  if (headOf(dest)) throw instructionErrors.heredocDestination([raw.name])
  const sources: string[] = []
  const contents: Heredoc[] = []
  for (let i = 0; i < words.length - 1; i++) {
    const { text } = words[i]!
    const head = headOf(text)
    if (head === undefined) sources.push(text)
    else {
      // In JSON form there are no texts: the reference then writes an empty file.
      const {
        content = '',
        raw: written = '',
        range = raw.range,
      } = raw.heredocs.findLast((h) => h.name === head.name) ?? {}
      contents.push({ ...head, content, raw: written, range })
    }
  }
  return { sources, contents, dest }
}

function headOf(word: string): HeredocHead | undefined {
  return word.includes('<<') ? tryHeredocHead(word) : undefined
}
