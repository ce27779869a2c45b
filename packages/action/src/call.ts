/** The input `call`: the Dockerfile is looked at, not built. */
import { check, checkExitCode, checkText } from '@tsbuild/builder'
import { type BuildRequest, escapeText, type Io, proxyArgs, runCall } from '../../cli/src/embed.ts'
import { annotate } from './annotate.ts'
import type { Runner } from './runner.ts'

interface CallContext {
  readonly runner: Runner
  readonly io: Io
  readonly signal: AbortSignal
  /** The Dockerfile, from the root of the workspace. */
  readonly annotated: string | undefined
}

/** Prints what the call gives. Findings of the checks are annotations, and fail the step as they fail the command. */
export async function runCalled(
  request: BuildRequest,
  call: NonNullable<BuildRequest['call']>,
  { runner, io, signal, annotated }: CallContext,
): Promise<number> {
  if (call.kind !== 'check' || call.format !== 'text') {
    using _ = runner.quoteCommands()
    return await runCall({ ...request, notices: [] }, call, { io, signal, global: { debug: false }, commands: [] })
  }
  const buildArgs = { ...(await proxyArgs(io.env)), ...request.options.buildArgs }
  const found = await check({ ...request.options, buildArgs, signal })
  {
    using _ = runner.quoteCommands()
    runner.log(escapeText(checkText(found)))
  }
  annotate(runner, found.warnings, annotated)
  if (found.error) {
    const { message, at } = found.error
    runner.error(message, at && annotated ? { file: annotated, line: at.range.start.line } : {})
  }
  return call.ignoreStatus ? 0 : checkExitCode(found)
}
