/** The checks that run with every build: their findings are warnings, or the end of the build with `error=true`. */
import type { Dockerfile } from '../dockerfile/ast.ts'
import type { BuildError } from '../errors.ts'
import type { FoundImage } from '../image/resolve.ts'
import type { ParsedDockerfile } from '../instructions/nodes.ts'
import { checkSource, createLinter, type LintWorld, lintFile } from '../lint/index.ts'
import type { Session } from './session.ts'
import { planWorld } from './world.ts'

/** Reports findings once, however many platforms are built. @throws BuildError when the file asks for it */
export async function lintAll(
  parsed: ParsedDockerfile,
  session: Session,
  images: ReadonlyMap<string, FoundImage>,
): Promise<void> {
  const { linter, remarks } = createLinter(parsed.dockerfile, session.settings.buildArgs)
  await lintFile(parsed, linter, lintWorld(session, images))
  for (const warning of [...remarks, ...linter.warnings]) session.warn(warning)
  const violation = linter.violation()
  if (violation) throw violation
}

/** Reports what the text of a file that cannot be parsed shows above the error. */
export function lintUnparsed(dockerfile: Dockerfile, error: BuildError, session: Session): void {
  const { linter, remarks } = createLinter(dockerfile, session.settings.buildArgs)
  checkSource(linter, dockerfile, error.at?.range.start.offset ?? 0)
  for (const warning of [...remarks, ...linter.warnings]) session.warn(warning)
}

/** Reports what can be said of a file that cannot be planned, without asking for images again. */
export async function lintUnplanned(parsed: ParsedDockerfile, session: Session): Promise<void> {
  const { linter, remarks } = createLinter(parsed.dockerfile, session.settings.buildArgs)
  const world = lintWorld(session, new Map())
  await lintFile(parsed, linter, { ...world, resolveImage: async () => undefined, ignored: async () => undefined })
  for (const warning of [...remarks, ...linter.warnings]) session.warn(warning)
}

/** The world as the checks ask for it. */
export function lintWorld(session: Session, images: ReadonlyMap<string, FoundImage>): LintWorld {
  const { settings } = session
  const world = planWorld(session, new Map(images))
  return {
    buildArgs: settings.buildArgs,
    target: settings.options.target,
    allStages: false,
    platform: settings.platforms[0]!,
    buildPlatform: settings.buildPlatform,
    resolveImage: async (name, platform, at) => (await world.resolveImage(name, platform, at)).config,
    namedContext: async (name, platform) => {
      const context = await world.namedContext(name, platform)
      return context?.kind === 'image'
        ? { kind: 'image', image: context.image.config }
        : context && { kind: context.kind }
    },
    ignored: () => session.contexts.ignored(),
    signal: session.signal,
  }
}
