/** A failure that the command itself finds, such as a tool that is not there: exit code 1, no stack trace. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
  /** What to do about it, one sentence. */
  readonly hint: string | undefined

  constructor(message: string, hint?: string, options?: ErrorOptions) {
    super(message, options)
    this.hint = hint
  }
}
