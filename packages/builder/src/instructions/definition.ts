/** What an instruction is to the parser: its keyword, its flags, and how its arguments become a node. */
import type { RawInstruction } from '../dockerfile/ast.ts'
import type { Escape } from '../dockerfile/words.ts'
import type { SourceFile } from '../source.ts'
import type { FlagTable } from './flags.ts'

/** The file that an instruction stands in. */
export interface ParseContext {
  readonly file: SourceFile
  readonly escape: Escape
}

/** One kind of instruction. */
export interface InstructionDef<N> {
  /** Upper case. */
  readonly keyword: string
  /** undefined: flags before the arguments are skipped unread, as the reference does for a few keywords. */
  readonly flags: FlagTable | undefined
  /** Whether ONBUILD may hold it. */
  readonly onbuild: boolean
  /**
   * Makes the node.
   *
   * @throws BuildErrors of instructionErrors; a place is set only where it is narrower than the instruction
   */
  parse(raw: RawInstruction, context: ParseContext): N
}
