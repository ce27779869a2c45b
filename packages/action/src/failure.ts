/** Why a step failed: in the log, at its line, and in the summary. */
import { BuildError } from '@tsbuild/builder'
import { renderError } from '../../cli/src/embed.ts'
import { linesOf } from './annotate.ts'
import type { Runner } from './runner.ts'
import { failureSummary } from './summary.ts'

/** @param file the Dockerfile, from the root of the workspace, if it is there */
export async function reportFailure(runner: Runner, error: unknown, file?: string): Promise<void> {
  {
    // It may quote what a RUN printed, or what a registry answered.
    using _ = runner.quoteCommands()
    runner.log(await renderError(error, { debug: runner.env.RUNNER_DEBUG === '1' }))
  }
  const problem = error instanceof Error ? error : new Error(String(error))
  const { code, hint } = problem as { code?: string; hint?: string }
  const lines = problem instanceof BuildError && problem.at && file !== undefined ? linesOf(file, problem.at) : {}
  runner.error(hint ? `${problem.message}\nhint: ${hint}` : problem.message, { title: code, ...lines })
  runner.summarize(failureSummary(problem))
}
