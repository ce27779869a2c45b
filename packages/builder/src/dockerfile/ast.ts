/**
 * A Dockerfile as it is written: directives, instructions, flags, heredocs, with their ranges; nothing is expanded.
 *
 * Follows the grammar of the reference frontend (frontend/dockerfile/parser of BuildKit and the Dockerfile reference).
 */
import type { Location, Range, SourceFile } from '../source.ts'

/** `# name=value` at the top of the file. */
export interface Directive {
  /** Lower case: `syntax`, `escape`, `check`. */
  readonly name: string
  readonly value: string
  readonly range: Range
}

/** `--name` or `--name=value` before the arguments of an instruction, in the order written. */
export interface Flag {
  readonly name: string
  /** undefined for a bare `--name`. Quotes and escapes are resolved (`--chown="a b"` is `a b`); not expanded. */
  readonly value: string | undefined
  /** The flag as written: `--name="value"`. */
  readonly raw: string
  readonly range: Range
}

/** `<<[-]NAME … NAME`: its text is part of the instruction. */
export interface Heredoc {
  /** The terminator, without quotes. */
  readonly name: string
  /** Lines between head and terminator, with their newlines; tabs are already stripped for `<<-`. */
  readonly content: string
  /** The same lines as they are written: what ONBUILD keeps and what a shell gets that reads the heredoc itself. */
  readonly raw: string
  /** false when the name was quoted: variables in the content stay as they are. */
  readonly expand: boolean
  /** `<<-`: leading tabs were stripped. */
  readonly chomp: boolean
  /** The number before `<<`; 0 if there was none. */
  readonly fd: number
  /** Of the content lines and the terminator. */
  readonly range: Range
}

/** One argument of an instruction, as the reference's tokenizer splits it: quotes and variables kept as written. */
export interface Word {
  readonly text: string
  readonly range: Range
}

/** One instruction of the file. */
export interface RawInstruction {
  /** As written, such as `Copy`. */
  readonly keyword: string
  /** Upper case, such as `COPY`. */
  readonly name: string
  readonly flags: readonly Flag[]
  /** Logical text after keyword and flags: continuation lines joined, comments within it removed. */
  readonly rest: string
  /** Logical line from the keyword on, as the reference keeps it (`Node.Original`), without heredoc bodies. */
  readonly original: string
  /** `exec` if `rest` is a valid JSON array of strings (only for instructions that take one). */
  readonly form: 'shell' | 'exec'
  /** ENV and LABEL: written as `name value`; the words are the name and all the rest. */
  readonly legacy: boolean
  /**
   * exec form: the decoded JSON strings. shell form: `rest` as the reference's line parser of this keyword splits it:
   * one word that holds all of it (RUN, CMD, WORKDIR, USER …), split at blanks (FROM, EXPOSE, COPY, ADD, VOLUME), or
   * at blanks outside quotes (ENV, LABEL, ARG); HEALTHCHECK: the type, then the command; ONBUILD: the keyword of the
   * trigger, then its words.
   */
  readonly words: readonly Word[]
  readonly heredocs: readonly Heredoc[]
  /**
   * Comment lines above without `#` and blanks around, as the reference's PrevComment: blank lines between them do
   * not count, a comment without text forgets those before it.
   */
  readonly comments: readonly string[]
  /** Of the keyword alone. */
  readonly keywordRange: Range
  /** First to last line of the instruction, heredoc bodies included. */
  readonly range: Range
}

/** A remark of the scanner itself, such as an empty continuation line: the linter gives it a rule. */
export interface ScanWarning {
  readonly kind: 'empty-continuation'
  /** The last line of the instruction (without heredocs) that has the empty line: where the reference reports it. */
  readonly range: Range
}

/** A scanned file. */
export interface Dockerfile {
  readonly source: SourceFile
  readonly directives: readonly Directive[]
  /** The character that escapes: `\` unless the directive says `` ` ``. */
  readonly escape: '\\' | '`'
  readonly instructions: readonly RawInstruction[]
  readonly warnings: readonly ScanWarning[]
}

/** The location of a node of this file. */
export function locate(dockerfile: Pick<Dockerfile, 'source'>, node: { readonly range: Range }): Location {
  return { file: dockerfile.source, range: node.range }
}

/**
 * The place of a text that is part of an instruction's arguments: the one word or flag that holds it, or the whole
 * instruction if none or several do. For messages about a text that was taken out of its instruction.
 */
export function locateText(dockerfile: Pick<Dockerfile, 'source'>, raw: RawInstruction, text: string): Location {
  const holders = [
    ...raw.words.filter((word) => word.text.includes(text)),
    ...raw.flags.filter((flag) => flag.value?.includes(text)),
  ]
  return locate(dockerfile, text !== '' && holders.length === 1 ? holders[0]! : raw)
}
