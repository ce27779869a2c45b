/** The one argument of WORKDIR, USER, STOPSIGNAL and MAINTAINER: all the text behind the keyword. */
import type { RawInstruction } from '../dockerfile/ast.ts'
import { instructionErrors } from './errors.ts'

/** @throws INSTRUCTION_ONE_ARGUMENT */
export function singleArgument(raw: RawInstruction): string {
  if (raw.rest === '') throw instructionErrors.exactlyOneArgument([raw.name])
  return raw.rest
}
