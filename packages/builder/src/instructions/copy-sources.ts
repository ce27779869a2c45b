/** Sources and destination of COPY and ADD. */
import type { Heredoc, RawInstruction } from '../dockerfile/ast.ts'
import { tryHeredocHead } from '../dockerfile/heredoc.ts'
import { instructionErrors } from './errors.ts'
import type { CopyNode } from './nodes.ts'

/**
 * Splits the arguments; a source that is the head of a heredoc becomes a file with its text.
 *
 * @throws INSTRUCTION_HEREDOC_DESTINATION
 */
export function copySources(raw: RawInstruction): Pick<CopyNode, 'sources' | 'contents' | 'dest'> {
  const words = raw.words.map((word) => word.text)
  const dest = words.pop()!
  if (tryHeredocHead(dest)) throw instructionErrors.heredocDestination([raw.name])
  const sources: string[] = []
  const contents: Heredoc[] = []
  const byName = new Map(raw.heredocs.map((heredoc) => [heredoc.name, heredoc]))
  for (const word of words) {
    const head = word.includes('<<') ? tryHeredocHead(word) : undefined
    if (head === undefined) sources.push(word)
    // In JSON form there are no texts: the reference then writes an empty file.
    else contents.push({ content: '', raw: '', range: raw.range, ...byName.get(head.name), ...head })
  }
  return { sources, contents, dest }
}
