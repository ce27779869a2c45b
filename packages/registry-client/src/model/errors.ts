/**
 * The one error type of this package and the factories that make it, one per code.
 *
 * Codes are stable across releases; messages are for people and may change. Credentials never appear in either.
 * A call that was aborted rejects with the reason of its AbortSignal instead, as Node's own functions do.
 */

import { obsoleteHint } from './media-types.ts'

/** One entry of the `errors` array that a registry answers with (distribution-spec "Error Codes"). */
export interface RegistryErrorEntry {
  readonly code: string
  readonly message: string
  readonly detail?: unknown
}

/** What a {@link RegistryError} may carry beside its message. */
export interface RegistryErrorDetails {
  /** HTTP status of the last answer. */
  status?: number | undefined
  /** What the registry itself said. */
  registryErrors?: readonly RegistryErrorEntry[] | undefined
  /** How often the request was sent. */
  attempts?: number | undefined
  /** How long the registry asked to wait, in milliseconds. */
  retryAfterMs?: number | undefined
  /** What the user can do next, one sentence. */
  hint?: string | undefined
  cause?: unknown
}

/** Every failure of this package. */
export class RegistryError extends Error {
  override readonly name = 'RegistryError'
  readonly code: string
  readonly status: number | undefined
  readonly registryErrors: readonly RegistryErrorEntry[]
  readonly attempts: number | undefined
  readonly retryAfterMs: number | undefined
  readonly hint: string | undefined

  constructor(code: string, message: string, details: RegistryErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.code = code
    this.status = details.status
    this.registryErrors = details.registryErrors ?? []
    this.attempts = details.attempts
    this.retryAfterMs = details.retryAfterMs
    this.hint = details.hint
  }
}

/** true for a {@link RegistryError}, of one of `codes` when any are given. */
export function isRegistryError(error: unknown, ...codes: string[]): error is RegistryError {
  return error instanceof RegistryError && (codes.length === 0 || codes.includes(error.code))
}

/** One error code: `doc` is its paragraph of documentation. */
export interface RegistryErrorDefinition<A extends readonly unknown[]> {
  readonly code: string
  readonly doc: string
  readonly message: (...args: A) => string
  readonly hint?: string
  /** A hint that depends on the case. */
  readonly hintFor?: (...args: A) => string | undefined
}

/** Makes a {@link RegistryError} of one code; `.definition` documents it. */
export interface RegistryErrorFactory<A extends readonly unknown[]> {
  (args: A, details?: RegistryErrorDetails): RegistryError
  readonly definition: RegistryErrorDefinition<A>
}

function define<const A extends readonly unknown[]>(definition: RegistryErrorDefinition<A>): RegistryErrorFactory<A> {
  const make = (args: A, details: RegistryErrorDetails = {}) =>
    new RegistryError(definition.code, definition.message(...args), {
      hint: definition.hintFor?.(...args) ?? definition.hint,
      ...details,
    })
  return Object.assign(make, { definition })
}

/** Every error of this package by name; the values' `.definition` is the documentation of the code. */
export const registryErrors = {
  referenceInvalid: define({
    code: 'REFERENCE_INVALID',
    doc: 'The text is not an image reference: `[registry/]repository[:tag][@digest]`.',
    message: (text: string, why: string) => `invalid reference format: ${why}: ${JSON.stringify(text.slice(0, 300))}`,
  }),
  digestInvalid: define({
    code: 'DIGEST_INVALID',
    doc: 'The text is not a digest of a supported algorithm: sha256, sha384 or sha512 with lowercase hexadecimal.',
    message: (text: string) => `invalid digest ${JSON.stringify(text.slice(0, 200))}`,
  }),
  platformInvalid: define({
    code: 'PLATFORM_INVALID',
    doc: 'The text is not a platform: `os/arch[/variant]`.',
    message: (text: string, why: string) => `${JSON.stringify(text.slice(0, 100))}: ${why}: invalid argument`,
  }),
  platformNotFound: define({
    code: 'PLATFORM_NOT_FOUND',
    doc: 'The index has no image for the platform that was asked for.',
    message: (what: string, platform: string, available: string) =>
      `no match for platform in manifest: ${what} has no ${platform}${available ? ` (it has ${available})` : ''}: not found`,
  }),
  platformTwice: define({
    code: 'PLATFORM_TWICE',
    doc: 'Of the images that are to be joined into an index, two are for the same platform.',
    message: (platform: string, one: string, other: string) => `two images for ${platform}: ${one} and ${other}`,
  }),
  digestMismatch: define({
    code: 'DIGEST_MISMATCH',
    doc: 'Content that arrived does not hash to the digest that was asked for. Nothing of it may be used.',
    message: (what: string, expected: string, actual: string) =>
      `digest mismatch: ${what}: expected ${expected}, got ${actual}`,
  }),
  sizeMismatch: define({
    code: 'SIZE_MISMATCH',
    doc: 'Content that arrived is longer or shorter than its descriptor says.',
    message: (what: string, expected: number, actual: string) =>
      `size mismatch: ${what}: expected ${expected} bytes, got ${actual}`,
  }),
  manifestInvalid: define({
    code: 'MANIFEST_INVALID',
    doc: 'A manifest, index or config is not valid JSON or breaks the image-spec.',
    message: (what: string, why: string, kind = 'manifest') => `invalid ${`${kind} ${what}`.trimEnd()}: ${why}`,
  }),
  manifestTooLarge: define({
    code: 'MANIFEST_TOO_LARGE',
    doc: 'A manifest, config or other small document is larger than the limit of the client (4 MiB by default).',
    message: (what: string, limit: number) => `${what} is larger than ${limit} bytes`,
  }),
  mediaTypeUnsupported: define({
    code: 'MEDIA_TYPE_UNSUPPORTED',
    doc: 'A kind of manifest that cannot be used, such as Docker schema 1 or the artifact manifest of early OCI drafts.',
    message: (what: string, mediaType: string) => `unsupported media type ${mediaType} of ${what}`,
    hintFor: (_what: string, mediaType: string) => obsoleteHint(mediaType),
  }),
  indexTooDeep: define({
    code: 'INDEX_TOO_DEEP',
    doc: 'Indexes are nested more than four levels deep.',
    message: (what: string, limit: number) => `${what}: indexes are nested more than ${limit} levels deep`,
  }),
  notFound: define({
    code: 'NOT_FOUND',
    doc: 'The manifest, blob, tag or repository does not exist, or the registry does not show it to this user.',
    message: (what: string) => `${what}: not found`,
  }),
  unauthorized: define({
    code: 'UNAUTHORIZED',
    doc: 'The registry wants credentials, or refused the ones it was given.',
    message: (what: string, why: string) => `${what}: authorization failed${why ? `: ${why}` : ''}`,
    hint: 'Log in to the registry, or check the credentials in the docker config file.',
  }),
  denied: define({
    code: 'DENIED',
    doc: 'The credentials are known but do not allow this.',
    message: (what: string, why: string) => `${what}: access denied${why ? `: ${why}` : ''}`,
  }),
  rateLimited: define({
    code: 'RATE_LIMITED',
    doc: 'The registry still answered "too many requests" after all attempts.',
    message: (what: string, why: string) => `${what}: too many requests${why ? `: ${why}` : ''}`,
    hint: 'Log in to raise the limit, wait, or use a mirror (--mirror docker.io=HOST).',
  }),
  unavailable: define({
    code: 'UNAVAILABLE',
    doc: 'The registry kept answering with a server error.',
    message: (what: string, status: number, why: string) =>
      `${what}: unexpected status ${status}${why ? `: ${why}` : ''}`,
  }),
  rejected: define({
    code: 'REJECTED',
    doc: 'The registry refused the request: it is wrong, not allowed or not supported there.',
    message: (what: string, status: number, why: string) =>
      `${what}: unexpected status ${status}${why ? `: ${why}` : ''}`,
  }),
  tooLarge: define({
    code: 'TOO_LARGE',
    doc: 'The registry, or a proxy before it, refuses uploads of this size (413).',
    message: (what: string) => `${what}: request entity too large`,
  }),
  network: define({
    code: 'NETWORK',
    doc: 'The registry could not be reached, or the connection broke and did not recover.',
    message: (what: string, why: string) => `${what}: ${why}`,
  }),
  timeout: define({
    code: 'TIMEOUT',
    doc: 'The registry stayed silent for too long, or answered so slowly that it would never have been done.',
    message: (what: string, why: string) => `${what}: ${why}`,
  }),
  closed: define({
    code: 'CLOSED',
    doc: 'The client was closed before this was asked of it.',
    message: (host: string) => `${host}: the client is closed`,
  }),
  badResponse: define({
    code: 'BAD_RESPONSE',
    doc: 'The answer of the registry breaks the distribution-spec in a way that cannot be worked around.',
    message: (what: string, why: string) => `${what}: ${why}`,
  }),
  redirectRefused: define({
    code: 'REDIRECT_REFUSED',
    doc: 'A redirect or upload location leads to where requests must not go: another scheme, too many hops.',
    message: (what: string, why: string) => `${what}: redirect refused: ${why}`,
  }),
  realmRefused: define({
    code: 'REALM_REFUSED',
    doc: 'The registry names a token server that credentials must not be sent to (plain http, or not http at all).',
    message: (realm: string, why: string) => `token realm ${JSON.stringify(realm.slice(0, 200))} refused: ${why}`,
  }),
  credentialHelper: define({
    code: 'CREDENTIAL_HELPER',
    doc: 'A docker credential helper could not be started, failed or answered with something else than credentials.',
    message: (helper: string, why: string) => `docker-credential-${helper}: ${why}`,
  }),
  configInvalid: define({
    code: 'CONFIG_INVALID',
    doc: 'A configuration file (docker config, hosts.toml, registries.conf, certs.d) cannot be read.',
    message: (file: string, why: string) => `${file}: ${why}`,
  }),
  layoutInvalid: define({
    code: 'LAYOUT_INVALID',
    doc: 'A directory or tar is not an OCI image layout, or an archive is not one of docker save.',
    message: (path: string, why: string) => `${path}: ${why}`,
  }),
  archiveFailed: define({
    code: 'ARCHIVE_FAILED',
    doc: 'An archive, a layout or a file of credentials cannot be written: no space, no permission, or no such path.',
    message: (path: string, why: string) => `failed to write ${path}: ${why}`,
    hint: 'Name a place in an existing directory that you may write to, on a disk that has room for it.',
  }),
  unsupported: define({
    code: 'UNSUPPORTED',
    doc: 'The source or target cannot do this: a tar read as a stream cannot be written, an archive has no referrers.',
    message: (what: string, why: string) => `${what}: ${why}`,
  }),
  foreignRefused: define({
    code: 'FOREIGN_REFUSED',
    doc: 'A layer is only to be had from a URL outside of the registry and that was not allowed.',
    message: (digest: string, why: string) => `foreign layer ${digest}: ${why}`,
    hint: 'Allow foreign URLs in the options of the client if you trust the image.',
  }),
} as const
