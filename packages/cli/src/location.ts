/**
 * Where images are copied from and to, as the command line names it: `IMAGE` or `docker://IMAGE` in a registry,
 * `store:NAME` in the local store, `oci:DIR[:NAME][@DIGEST]`, `oci-archive:FILE[:NAME][@DIGEST]`,
 * `docker-archive:FILE[:NAME]`.
 */
import type { Digest, RegistryClient, Source, Target } from '@tsbuild/registry-client'
import type { CommandContext } from './command.ts'
import { suggest } from './flags/suggest.ts'
import { openSourceStore, openStore } from './library.ts'
import { UsageError } from './usage-error.ts'

/** A place that was parsed, not opened. */
export type Location =
  | { readonly kind: 'registry'; readonly reference: string }
  | { readonly kind: 'store'; readonly reference: string }
  | {
      readonly kind: 'oci' | 'oci-archive' | 'docker-archive'
      readonly path: string
      readonly name: string | undefined
      /** Of the content that is meant. */
      readonly digest?: string
    }

const KINDS = ['docker', 'store', 'oci', 'oci-archive', 'docker-archive']

/** @throws UsageError for a transport that does not exist, or a path that is missing */
export function parseLocation(text: string): Location {
  const match = /^([a-z][a-z-]*):(?:\/\/)?(.*)$/s.exec(text)
  const [, kind = '', rest = ''] = match ?? []
  if (kind === 'oci' || kind === 'oci-archive' || kind === 'docker-archive') {
    // A name for docker is a whole reference, with its own digest.
    const at = kind === 'docker-archive' ? null : /^(.*)@(sha(?:256|384|512):[0-9a-f]+)$/s.exec(rest)
    const [, place = rest, digest] = at ?? []
    const colon = place.indexOf(':')
    const path = colon < 0 ? place : place.slice(0, colon)
    if (path === '') throw new UsageError(`${text}: the path is missing`, `write it as ${kind}:PATH:NAME`)
    const name = colon < 0 ? undefined : place.slice(colon + 1) || undefined
    return { kind, path, name, ...(digest === undefined ? {} : { digest }) }
  }
  if (kind === 'store') return { kind, reference: rest }
  if (!text.includes('://')) return { kind: 'registry', reference: text }
  if (kind === 'docker') return { kind: 'registry', reference: rest }
  const close = suggest(kind, KINDS)
  throw new UsageError(
    `unknown transport ${JSON.stringify(kind)} in ${text}`,
    close ? `did you mean ${close}?` : `the transports are ${KINDS.join(', ')}`,
  )
}

/** An opened place to read from, and the name to read there. */
export interface OpenedSource extends AsyncDisposable {
  readonly source: Source
  readonly reference: string
  /** The tag that the source has, for a target without one. */
  readonly tag: string | undefined
}

export async function openSource(
  location: Location,
  client: RegistryClient,
  context: CommandContext,
): Promise<OpenedSource> {
  if (location.kind === 'registry') {
    const repository = client.repository(location.reference)
    const { tag } = repository.reference
    return { source: repository, reference: repository.defaultReference, tag, [Symbol.asyncDispose]: async () => {} }
  }
  if (location.kind === 'store') {
    const store = await openSourceStore(context)
    const dispose = () => store[Symbol.asyncDispose]()
    return { source: store.images, reference: location.reference, tag: undefined, [Symbol.asyncDispose]: dispose }
  }
  const { DockerArchive, OciLayout } = await import('@tsbuild/registry-client')
  const archive = await (location.kind === 'docker-archive' ? DockerArchive : OciLayout).open(location.path, {
    signal: context.signal,
  })
  // A name of a docker archive is a whole reference, of which a target without a tag cannot make one.
  const tag = location.kind === 'docker-archive' ? undefined : location.name
  const dispose = () => archive[Symbol.asyncDispose]()
  const reference = location.digest ?? location.name ?? ''
  return { source: archive, reference, tag, [Symbol.asyncDispose]: dispose }
}

/** An opened place to write to, and the names to give there. */
export interface OpenedTarget extends AsyncDisposable {
  readonly target: Target
  readonly tags: readonly string[]
  /** The digest that the target's name demands. */
  readonly digest?: Digest | undefined
  /** What has to be done when all is there. */
  finish?(): Promise<unknown>
}

/** @param defaultTag for a target that names none */
export async function openTarget(
  location: Location,
  client: RegistryClient,
  defaultTag: string | undefined,
  context: CommandContext,
): Promise<OpenedTarget> {
  if (location.kind === 'registry') {
    const repository = client.repository(location.reference)
    const { tag, digest } = repository.reference
    const tags = tag !== undefined ? [tag] : digest !== undefined ? [] : [defaultTag ?? 'latest']
    return { target: repository, tags, digest, [Symbol.asyncDispose]: async () => {} }
  }
  const { ImageArchive, OciLayout, parseDigest, parseReference } = await import('@tsbuild/registry-client')
  if (location.kind === 'store') {
    const store = await openStore(context, 'write')
    const dispose = () => store[Symbol.asyncDispose]()
    const { digest } = parseReference(location.reference)
    return { target: store.images, tags: [location.reference], digest, [Symbol.asyncDispose]: dispose }
  }
  const digest = location.digest === undefined ? undefined : parseDigest(location.digest)
  if (location.kind === 'oci') {
    const layout = await OciLayout.create(location.path)
    const tags = [location.name ?? defaultTag ?? 'latest']
    return { target: layout, tags, digest, [Symbol.asyncDispose]: () => layout[Symbol.asyncDispose]() }
  }
  const format = location.kind === 'oci-archive' ? 'oci' : 'docker'
  if (format === 'docker' && location.name === undefined) {
    throw new UsageError(
      'an image in a docker-archive needs a name',
      `write it as docker-archive:${location.path}:NAME:TAG`,
    )
  }
  const archive = await ImageArchive.create(location.path, { format })
  return {
    target: archive,
    tags: [location.name ?? defaultTag ?? 'latest'],
    digest,
    finish: () => archive.finish(),
    [Symbol.asyncDispose]: () => archive[Symbol.asyncDispose](),
  }
}
