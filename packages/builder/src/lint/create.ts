/** A linter with the options that hold for a file: the build argument's, else those of its `check` directive. */
import type { Dockerfile } from '../dockerfile/ast.ts'
import type { BuildWarning } from '../progress.ts'
import { Linter } from './linter.ts'
import { defaultCheckOptions, directiveValue, parseCheckOptions } from './options.ts'
import { unknownRules } from './unknown-rules.ts'

/** The build argument that replaces the options of the file. */
export const checkBuildArg = 'BUILDKIT_DOCKERFILE_CHECK'

export interface CreatedLinter {
  readonly linter: Linter
  /** Names of rules in the options that do not exist; not part of the findings. */
  readonly remarks: readonly BuildWarning[]
}

/** @throws BuildError CHECK_OPTIONS_INVALID */
export function createLinter(dockerfile: Dockerfile, buildArgs: ReadonlyMap<string, string>): CreatedLinter {
  const { source } = dockerfile
  const given = buildArgs.get(checkBuildArg)
  if (given !== undefined) {
    const options = parseCheckOptions(given, `build-arg:${checkBuildArg}`)
    return { linter: new Linter(source, options), remarks: unknownRules(options) }
  }
  const directive = dockerfile.directives.find(({ name }) => name === 'check')
  if (directive === undefined) return { linter: new Linter(source, defaultCheckOptions), remarks: [] }
  const at = { file: source, range: directive.range }
  const options = parseCheckOptions(directiveValue(directive.value), 'check options', at)
  return { linter: new Linter(source, options), remarks: unknownRules(options, at) }
}
