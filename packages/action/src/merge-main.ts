/** The action `merge`: digests that native jobs have pushed become one image for several platforms. */
import { readdir } from 'node:fs/promises'
import { resolve } from 'node:path'
import {
  familiarReference,
  formatPlatform,
  isDigest,
  type MergeSource,
  mergeImages,
  parseReference,
  type Reference,
  RegistryClient,
  withDefaultTag,
} from '@tsbuild/registry-client'
import { type Io, keyValue, UsageError } from '../../cli/src/embed.ts'
import { reportFailure } from './failure.ts'
import { parseList } from './list.ts'
import type { Runner } from './runner.ts'
import { mergeSummary } from './summary.ts'

/** All inputs. */
export const MERGE_INPUTS = ['tags', 'images', 'digests-path', 'annotations'] as const

interface MergeRequest {
  /** By repository, in the order of the input. */
  readonly targets: ReadonlyMap<string, readonly Reference[]>
  readonly images: readonly Reference[]
  readonly annotations: Readonly<Record<string, string>>
}

export async function runMerge(runner: Runner, io: Io, signal: AbortSignal): Promise<number> {
  try {
    const request = await readMerge(runner, io.cwd)
    await using client = new RegistryClient({ env: io.env })
    const sources = request.images.map((image): MergeSource => {
      const source = client.repository(image)
      return { source, reference: source.defaultReference }
    })
    let digest = ''
    for (const [repository, names] of request.targets) {
      const tags = names.map(({ tag = 'latest' }) => tag)
      const { annotations } = request
      const { descriptor, manifests } = await mergeImages(sources, client.repository(repository), tags, {
        annotations,
        signal,
      })
      digest = descriptor.digest
      const listed = manifests.map(
        ({ platform, digest: of }) => [platform ? formatPlatform(platform) : '', of] as const,
      )
      for (const [platform, of] of listed) runner.log(`${of} ${platform}\n`)
      for (const name of names) runner.log(`${familiarReference(name)}@${digest}\n`)
      runner.summarize(mergeSummary(digest, names.map(familiarReference), listed))
    }
    runner.setOutput('digest', digest)
    return 0
  } catch (error) {
    await reportFailure(runner, error)
    return 1
  }
}

async function readMerge(runner: Runner, cwd: string): Promise<MergeRequest> {
  for (const name of runner.givenInputs()) {
    if (!(MERGE_INPUTS as readonly string[]).includes(name)) runner.warning(`the input ${name} is not known`)
  }
  const list = (name: string, commas: boolean) => parseList(name, runner.input(name), { commas })
  const tags = list('tags', true).map((text) => withDefaultTag(parseReference(text)))
  const [first] = tags
  if (first === undefined) throw new UsageError('the input tags is empty', 'name the image: REGISTRY/NAME:TAG')
  const listed = [...list('images', true), ...(await digestsIn(runner.input('digests-path'), cwd))]
  if (listed.length === 0) throw new UsageError('there is nothing to merge', 'give the input images or digests-path')
  const images = listed.map((text) => parseReference(isDigest(text) ? `${repositoryOf(first)}@${text}` : text))
  const pairs = list('annotations', false).map((text) => {
    const pair = keyValue(text.replace(/^index:/, ''))
    if (pair?.[0]) return pair
    throw new UsageError(`invalid annotation ${JSON.stringify(text)}, expected key=value`)
  })
  return { targets: Map.groupBy(tags, repositoryOf), images, annotations: Object.fromEntries(pairs) }
}

function repositoryOf({ registry, repository }: Reference): string {
  return `${registry}/${repository}`
}

/** Jobs of a matrix have no outputs of their own; they leave files, in an artifact, that are named by digests. */
async function digestsIn(directory: string, cwd: string): Promise<string[]> {
  if (directory === '') return []
  const names = (await readdir(resolve(cwd, directory))).sort()
  return names.map((name) => {
    const digest = name.includes(':') ? name : `sha256:${name}`
    if (isDigest(digest)) return digest
    throw new UsageError(`${directory} has a file whose name is no digest: ${JSON.stringify(name)}`)
  })
}
