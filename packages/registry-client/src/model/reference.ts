/**
 * Image references: `[registry/]repository[:tag][@digest]`, with Docker's shorthand for Docker Hub.
 *
 * The grammar is that of the distribution-spec ("Pulling manifests": <name> and <reference>) and of docker:
 * `busybox` means `docker.io/library/busybox`.
 */
import { type Digest, isDigest } from './digest.ts'
import { registryErrors } from './errors.ts'

/** A parsed reference. `registry` is normalised: `docker.io` for Docker Hub under any of its names. */
export interface Reference {
  /** `host[:port]` as the user means it, such as `docker.io` or `[::1]:5000`. */
  readonly registry: string
  /** Path within the registry, such as `library/busybox`. */
  readonly repository: string
  readonly tag?: string
  readonly digest?: Digest
}

const label = '(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)'
const domainPattern = new RegExp(`^(?:${label}(?:\\.${label})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]{1,5})?$`)
const componentPattern = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/
const tagPattern = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/
const hubNames = new Set(['docker.io', 'index.docker.io', 'registry-1.docker.io', 'registry.hub.docker.com'])

/** true for a valid tag: at most 128 characters of `[A-Za-z0-9_.-]`, not starting with `.` or `-`. */
export function isTag(text: string): boolean {
  return tagPattern.test(text)
}

/** true for a valid repository path. */
function isRepository(text: string): boolean {
  return text.length <= 255 && text.split('/').every((component) => componentPattern.test(component))
}

/**
 * Parses a reference. No tag is made up: use {@link withDefaultTag} where `latest` is meant.
 *
 * @throws RegistryError REFERENCE_INVALID
 */
export function parseReference(text: string): Reference {
  const fail = (why: string) => registryErrors.referenceInvalid([text, why])
  if (typeof text !== 'string') throw registryErrors.referenceInvalid([String(text), 'a reference is a text'])
  if (text === '') throw fail('the name is empty')
  if (text.includes('://')) throw fail('a reference has no scheme')
  let rest = text
  let digest: Digest | undefined
  const at = rest.indexOf('@')
  if (at >= 0) {
    const written = rest.slice(at + 1)
    if (!isDigest(written)) throw fail(`invalid digest ${JSON.stringify(written.slice(0, 160))}`)
    digest = written
    rest = rest.slice(0, at)
  }
  let tag: string | undefined
  const colon = rest.lastIndexOf(':')
  if (colon > rest.lastIndexOf('/')) {
    tag = rest.slice(colon + 1)
    if (!isTag(tag)) throw fail(`invalid tag ${JSON.stringify(tag.slice(0, 160))}`)
    rest = rest.slice(0, colon)
  }
  if (digest === undefined && tag === undefined && /^[a-f0-9]{64}$/.test(rest)) {
    throw fail('cannot specify 64-byte hexadecimal strings as a name')
  }
  const { registry, repository } = splitRegistry(rest)
  if (!domainPattern.test(registry)) throw fail(`invalid registry ${JSON.stringify(registry)}`)
  if (repository.length > 255) throw fail('the repository name must not be more than 255 characters')
  if (!isRepository(repository)) {
    const lower = repository.toLowerCase()
    throw fail(
      lower !== repository && isRepository(lower)
        ? `repository name (${repository}) must be lowercase`
        : `invalid repository name ${JSON.stringify(repository)}`,
    )
  }
  return { registry, repository, ...(tag !== undefined && { tag }), ...(digest !== undefined && { digest }) }
}

/** The first part is a registry when it looks like a host: with a dot, a port, capitals, or `localhost`. */
function splitRegistry(name: string): { registry: string; repository: string } {
  const slash = name.indexOf('/')
  const first = slash < 0 ? '' : name.slice(0, slash)
  const isHost = first !== '' && looksLikeHost(first)
  const registry = isHost ? normalizeRegistry(first) : 'docker.io'
  const repository = isHost ? name.slice(slash + 1) : name
  const official = registry === 'docker.io' && !repository.includes('/')
  return { registry, repository: official ? `library/${repository}` : repository }
}

/**
 * The registry's usual name: `docker.io` for every name of Docker Hub, else the host in lowercase, but for one that only
 * its capitals tell from a part of a repository's name.
 */
export function normalizeRegistry(host: string): string {
  const lower = host.toLowerCase()
  if (hubNames.has(lower)) return 'docker.io'
  return looksLikeHost(lower) ? lower : host
}

function looksLikeHost(text: string): boolean {
  return /[.:[]/.test(text) || text === 'localhost' || text.toLowerCase() !== text
}

/** `registry/repository[:tag][@digest]` with everything written out. */
export function formatReference(reference: Reference): string {
  return withSuffix(`${reference.registry}/${reference.repository}`, reference)
}

/** The short form that docker prints: without `docker.io/` and `library/`. */
export function familiarReference(reference: Reference): string {
  const { registry, repository } = reference
  if (registry !== 'docker.io') return formatReference(reference)
  const official = repository.startsWith('library/') && !repository.slice(8).includes('/')
  return withSuffix(official ? repository.slice(8) : repository, reference)
}

/**
 * A name with a digest stands for that content only: checks what is to be written under it.
 *
 * @throws RegistryError DIGEST_MISMATCH
 */
export function checkNamedDigest(reference: Reference, actual: Digest): void {
  const { digest } = reference
  if (digest === undefined || digest === actual) return
  throw registryErrors.digestMismatch([formatReference(reference), digest, actual], {
    hint: 'A name with a digest can only be given to the content of that digest.',
  })
}

/** The reference with tag `latest` when it has neither tag nor digest. */
export function withDefaultTag(reference: Reference): Reference {
  return reference.tag === undefined && reference.digest === undefined ? { ...reference, tag: 'latest' } : reference
}

function withSuffix(name: string, { tag, digest }: Reference): string {
  return `${name}${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`
}
