/** Reads the Dockerfile of a call and parses it. */
import { readFile } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { scanDockerfile } from '../dockerfile/scan.ts'
import type { ParsedDockerfile } from '../instructions/nodes.ts'
import { parseDockerfile } from '../instructions/parse.ts'
import { SourceFile } from '../source.ts'
import type { Session } from './session.ts'

export async function readSources(session: Session): Promise<ParsedDockerfile> {
  const source = await session.task('[internal] load build definition from Dockerfile', () => readDockerfile(session))
  return parseDockerfile(scanDockerfile(source))
}

async function readDockerfile(session: Session): Promise<SourceFile> {
  const { options } = session.settings
  if (options.dockerfileText !== undefined) return new SourceFile('Dockerfile', options.dockerfileText)
  const path = options.dockerfile === undefined ? join(session.contexts.mainDirectory(), 'Dockerfile') : resolve(options.dockerfile)
  return new SourceFile(basename(path), await readFile(path, 'utf8'))
}
