/** What a command line of another tool is here. */
export interface Migration {
  /** The words of the command, `tsbuild` first. */
  readonly words: readonly string[]
  /** A file that stdin comes from. */
  readonly stdin?: string | undefined
  /** What has no counterpart, and what else is to be known. */
  readonly notes: readonly string[]
}
