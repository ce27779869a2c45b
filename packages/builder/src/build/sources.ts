/** Reads the Dockerfile of a call and parses it. */
import { scanDockerfile } from '../dockerfile/scan.ts'
import { BuildError } from '../errors.ts'
import type { ParsedDockerfile } from '../instructions/nodes.ts'
import { parseDockerfile } from '../instructions/parse.ts'
import { SourceFile } from '../source.ts'
import { lintUnparsed } from './lint.ts'
import type { Session } from './session.ts'

export async function readSources(session: Session): Promise<ParsedDockerfile> {
  const dockerfile = scanDockerfile(await readSource(session))
  try {
    return parseDockerfile(dockerfile)
  } catch (error) {
    if (error instanceof BuildError) lintUnparsed(dockerfile, error, session)
    throw error
  }
}

/** The Dockerfile's text with the name that messages use. */
export async function readSource(session: Session): Promise<SourceFile> {
  return await session.define('[internal] load build definition from Dockerfile', async () => {
    const { name, text } = await session.contexts.dockerfile()
    return new SourceFile(name, text)
  })
}
