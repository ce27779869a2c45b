/**
 * Where images are copied from and to, as the command line names it: `IMAGE` or `docker://IMAGE` in a registry,
 * `oci:DIR[:NAME]`, `oci-archive:FILE[:NAME]`.
 */
import type { RegistryClient, Source, Target } from '@tsbuild/registry-client'
import { suggest } from './flags/suggest.ts'
import { UsageError } from './usage-error.ts'

/** A place that was parsed, not opened. */
export type Location =
  | { readonly kind: 'registry'; readonly reference: string }
  | { readonly kind: 'oci' | 'oci-archive'; readonly path: string; readonly name: string | undefined }

const KINDS = ['docker', 'oci', 'oci-archive']

/** @throws UsageError for a transport that does not exist, or a path that is missing */
export function parseLocation(text: string): Location {
  const match = /^([a-z][a-z-]*):(?:\/\/)?(.*)$/s.exec(text)
  const [, kind = '', rest = ''] = match ?? []
  if (kind === 'oci' || kind === 'oci-archive') {
    const colon = rest.indexOf(':')
    const path = colon < 0 ? rest : rest.slice(0, colon)
    if (path === '') throw new UsageError(`${text}: the path is missing`, `write it as ${kind}:PATH:NAME`)
    return { kind, path, name: colon < 0 ? undefined : rest.slice(colon + 1) || undefined }
  }
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
  signal: AbortSignal,
): Promise<OpenedSource> {
  if (location.kind === 'registry') {
    const repository = client.repository(location.reference)
    const { tag } = repository.reference
    return { source: repository, reference: repository.defaultReference, tag, [Symbol.asyncDispose]: async () => {} }
  }
  const { OciLayout } = await import('@tsbuild/registry-client')
  const layout = await OciLayout.open(location.path, { signal })
  return {
    source: layout,
    reference: location.name ?? '',
    tag: location.name,
    [Symbol.asyncDispose]: () => layout[Symbol.asyncDispose](),
  }
}

/** An opened place to write to, and the names to give there. */
export interface OpenedTarget {
  readonly target: Target
  readonly tags: readonly string[]
  /** The digest that the target's name demands. */
  readonly digest: string | undefined
}

/** @param defaultTag for a target that names none */
export async function openTarget(
  location: Location,
  client: RegistryClient,
  defaultTag: string | undefined,
): Promise<OpenedTarget> {
  if (location.kind === 'registry') {
    const repository = client.repository(location.reference)
    const { tag, digest } = repository.reference
    const tags = tag !== undefined ? [tag] : digest !== undefined ? [] : [defaultTag ?? 'latest']
    return { target: repository, tags, digest }
  }
  if (location.kind === 'oci-archive') {
    throw new UsageError(
      'an oci-archive can only be copied from',
      'copy to oci:DIR, or build with -o type=oci,dest=FILE',
    )
  }
  const { OciLayout } = await import('@tsbuild/registry-client')
  return {
    target: await OciLayout.create(location.path),
    tags: [location.name ?? defaultTag ?? 'latest'],
    digest: undefined,
  }
}
