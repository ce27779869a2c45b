/** The files that kaniko writes when the image is there. */
import { readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { getSystemErrorMessage } from 'node:util'
import type { BuildResult } from '@tsbuild/builder'
import { replaceFile } from '../build/result-files.ts'
import { CommandError } from '../command-error.ts'
import type { Environment } from '../io.ts'
import type { KanikoRequest } from './request.ts'

export async function writeResultFiles(request: KanikoRequest, result: BuildResult, env: Environment): Promise<void> {
  const { files, destinations, ociLayout, push } = request
  const names = await Promise.all(destinations.map(nameParts))
  const lines = (tagged: boolean): string =>
    names.map(({ repository, tag }) => `${repository}${tagged ? `:${tag}` : ''}@${result.digest}\n`).join('')
  if (ociLayout !== undefined) await nameOnly(ociLayout, result)
  if (files.digest !== undefined) await writeResult(files.digest, result.digest)
  // When both are asked for kaniko writes the tags into both.
  if (files.name !== undefined) await writeResult(files.name, lines(files.nameAndTag !== undefined))
  if (files.nameAndTag !== undefined) await writeResult(files.nameAndTag, lines(true))
  if (push && env.BUILDER_OUTPUT) {
    const images = names.map(({ repository, tag }) => ({ name: `${repository}:${tag}`, digest: result.digest }))
    await writeResult(join(env.BUILDER_OUTPUT, 'images'), images.map((image) => `${JSON.stringify(image)}\n`).join(''))
  }
}

/** In full, with the name that Docker Hub has in kaniko. */
async function nameParts(name: string): Promise<{ readonly repository: string; readonly tag: string }> {
  const { parseReference } = await import('@tsbuild/registry-client')
  const { registry, repository, tag = 'latest' } = parseReference(name)
  return { repository: `${registry === 'docker.io' ? 'index.docker.io' : registry}/${repository}`, tag }
}

/** The index of a layout is that of this image alone, and without names, as kaniko writes it and Tekton reads it. */
async function nameOnly(directory: string, { descriptor }: BuildResult): Promise<void> {
  const { mediaType, digest, size } = descriptor
  const { schemaVersion } = JSON.parse(await readFile(join(directory, 'index.json'), 'utf8')) as {
    schemaVersion: number
  }
  const index = {
    schemaVersion,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: [{ mediaType, size, digest }],
  }
  await replaceFile(join(directory, 'index.json'), JSON.stringify(index))
}

/**
 * In its place, not beside it: Kubernetes mounts /dev/termination-log as a file, which cannot be replaced.
 *
 * @throws CommandError
 */
async function writeResult(path: string, text: string): Promise<void> {
  try {
    const { makeDirectory } = await import('@tsbuild/registry-client')
    await makeDirectory(dirname(path), 0o700)
    await writeFile(path, text, { mode: 0o644 })
  } catch (error) {
    const { errno, message } = error as NodeJS.ErrnoException
    const reason = errno === undefined ? message : getSystemErrorMessage(errno)
    throw new CommandError(`cannot write ${path}: ${reason}`, undefined, { cause: error })
  }
}
