/** The pairs of ENV and LABEL. */
import type { RawInstruction } from '../dockerfile/ast.ts'
import { instructionErrors } from './errors.ts'
import type { KeyValue } from './nodes.ts'

/**
 * Reads `name=value …` or the legacy `name value`.
 *
 * @throws INSTRUCTION_ARGUMENT_MISSING, INSTRUCTION_BLANK_NAME
 */
export function keyValues(raw: RawInstruction): KeyValue[] {
  const { legacy, words } = raw
  if (words.length === 0) throw instructionErrors.atLeastOneArgument([raw.name])
  const pairs = legacy
    ? [{ key: words[0]!.text, value: words[1]!.text, legacy }]
    : words.map(({ text }) => {
        const equals = text.indexOf('=')
        return { key: text.slice(0, equals), value: text.slice(equals + 1), legacy }
      })
  if (pairs.some((pair) => pair.key === '')) throw instructionErrors.blankName([raw.name])
  return pairs
}
