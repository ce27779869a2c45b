/** A mistake on the command line: shown without an excerpt or a stack, exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
  /** What to write instead, one sentence. */
  readonly hint: string | undefined

  constructor(message: string, hint?: string) {
    super(message)
    this.hint = hint
  }
}
