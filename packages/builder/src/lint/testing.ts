/** For tests: runs the checks over a text and shows the findings in short. */
import { scanDockerfile } from '../dockerfile/scan.ts'
import { parseDockerfile } from '../instructions/parse.ts'
import { SourceFile } from '../source.ts'
import { createLinter } from './create.ts'
import type { BaseImage, LintFacts, LintWorld } from './facts.ts'
import { lintFile } from './walk.ts'

/** An image of Linux on amd64 with nothing set but PATH. */
export const plainImage: BaseImage = {
  os: 'linux',
  architecture: 'amd64',
  config: { Env: ['PATH=/usr/bin:/bin'] },
  rootfs: { diff_ids: ['sha256:0'] },
}

const amd64 = { os: 'linux', architecture: 'amd64' }

/** A check of all stages on linux/amd64, where every image is {@link plainImage}. */
export function testWorld(overrides: Partial<LintWorld> = {}): LintWorld {
  return {
    buildArgs: new Map(),
    allStages: overrides.target === undefined,
    platform: amd64,
    buildPlatform: amd64,
    resolveImage: async () => plainImage,
    ...overrides,
  }
}

/** Findings as `Rule:line: message`, in order, and what else came of the checks. */
export async function lintText(
  text: string,
  overrides: Partial<LintWorld> = {},
): Promise<{ readonly found: readonly string[]; readonly facts: LintFacts; readonly remarks: readonly string[] }> {
  const dockerfile = scanDockerfile(new SourceFile('Dockerfile', text))
  const world = testWorld(overrides)
  const { linter, remarks } = createLinter(dockerfile, world.buildArgs)
  const facts = await lintFile(parseDockerfile(dockerfile), linter, world)
  const found = linter.warnings.map(({ rule, message, at }) => `${rule}:${at?.range.start.line}: ${message}`)
  return { found, facts, remarks: remarks.map(({ message }) => message) }
}

/** An example of a rule for a table test. */
export interface LintExample {
  readonly name: string
  readonly text: string
  readonly world?: Partial<LintWorld>
  /** Findings as `Rule:line: message`. */
  readonly found: readonly string[]
}

/** A text of lines. */
export function lines(...list: readonly string[]): string {
  return `${list.join('\n')}\n`
}
