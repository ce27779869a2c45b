/** The checks that run with every build: their findings are warnings, or the end of the build with `error=true`. */
import type { Dockerfile } from '../dockerfile/ast.ts'
import type { BuildError } from '../errors.ts'
import { checkSource, createLinter, lintStages } from '../lint/index.ts'
import type { ResolvedStages } from '../stages/resolve.ts'
import type { Session } from './session.ts'

/** Reports what the checks find. @returns the error that the findings are, if the file says so */
export async function lint(stages: ResolvedStages, session: Session): Promise<BuildError | undefined> {
  const { linter, remarks } = createLinter(stages.parsed.dockerfile, session.settings.buildArgs)
  await lintStages(stages, linter, () => session.contexts.ignored())
  for (const warning of [...remarks, ...linter.warnings]) session.warn(warning)
  return linter.violation()
}

/** Reports what the text of a file that cannot be parsed shows above the error. */
export function lintUnparsed(dockerfile: Dockerfile, error: BuildError, session: Session): void {
  const { linter, remarks } = createLinter(dockerfile, session.settings.buildArgs)
  checkSource(linter, dockerfile, error.at?.range.start.offset ?? 0)
  for (const warning of [...remarks, ...linter.warnings]) session.warn(warning)
}
