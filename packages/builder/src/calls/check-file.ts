/** A check from the text of a file to its report: what `--call=check` and `--check` do. */
import type { Dockerfile } from '../dockerfile/ast.ts'
import { scanDockerfile } from '../dockerfile/scan.ts'
import { BuildError } from '../errors.ts'
import type { ParsedDockerfile } from '../instructions/nodes.ts'
import { parseDockerfile } from '../instructions/parse.ts'
import { type CreatedLinter, checkSource, createLinter, type IgnoredFiles, lintStages } from '../lint/index.ts'
import type { BuildWarning } from '../progress.ts'
import type { SourceFile } from '../source.ts'
import type { ResolvedStages } from '../stages/resolve.ts'
import { type CheckReport, checkReport } from './check.ts'

/** What the file is checked with; asked for if it can be parsed. */
export interface CheckWorld {
  readonly buildArgs: ReadonlyMap<string, string>
  readonly resolve: (parsed: ParsedDockerfile) => Promise<ResolvedStages>
  /** Plans the build, to find what else would fail it; its result is not used. */
  readonly plan: (stages: ResolvedStages) => unknown
  readonly ignored: () => Promise<IgnoredFiles | undefined>
}

export interface CheckedFile {
  readonly report: CheckReport
  /** Names of rules in the check options that do not exist. */
  readonly remarks: readonly BuildWarning[]
  /** What fixDockerfile needs; undefined if the file cannot be parsed. */
  readonly stages: ResolvedStages | undefined
}

/** Checks a file. Errors of the file are part of the report; rejects only when the signal is aborted. */
export async function checkFile(source: SourceFile, world: CheckWorld): Promise<CheckedFile> {
  const scanned = attempt(() => {
    const dockerfile = scanDockerfile(source)
    return { dockerfile, ...createLinter(dockerfile, world.buildArgs) }
  })
  if (scanned instanceof BuildError) return unchecked(checkReport(source, [], undefined, scanned), [])
  const { dockerfile, linter, remarks } = scanned
  const parsed = attempt(() => parseDockerfile(dockerfile))
  if (parsed instanceof BuildError) return unchecked(partialReport(dockerfile, scanned, parsed), remarks)
  const stages = await world.resolve(parsed)
  const facts = await lintStages(stages, linter, world.ignored)
  // Planning stops at the same error and knows more about it; in stages that it does not need, only the checks find it.
  const planned = attempt(() => world.plan(stages))
  const error = planned instanceof BuildError ? planned : facts.error
  const report = checkReport(source, linter.warnings, linter.violation(), error, dockerfile.instructions)
  return { report, remarks, stages }
}

function unchecked(report: CheckReport, remarks: readonly BuildWarning[]): CheckedFile {
  return { report, remarks, stages: undefined }
}

/** What the text shows above the place where the parser gave up. */
function partialReport(dockerfile: Dockerfile, { linter }: CreatedLinter, error: BuildError): CheckReport {
  checkSource(linter, dockerfile, error.at?.range.start.offset ?? 0)
  return checkReport(dockerfile.source, linter.warnings, undefined, error, dockerfile.instructions)
}

function attempt<T>(work: () => T): T | BuildError {
  try {
    return work()
  } catch (error) {
    if (error instanceof BuildError) return error
    throw error
  }
}
