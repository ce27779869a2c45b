/** The command of RUN, CMD and ENTRYPOINT: shell form with heredocs, or exec form. */
import type { RawInstruction } from '../dockerfile/ast.ts'
import type { CommandLine } from './nodes.ts'

/** The command line of an instruction; in shell form the text may be empty. */
export function commandLine(raw: RawInstruction): CommandLine {
  return raw.form === 'exec'
    ? { form: 'exec', args: raw.words.map((word) => word.text) }
    : { form: 'shell', text: raw.rest, heredocs: raw.heredocs }
}
