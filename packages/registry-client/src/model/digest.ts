/**
 * Digests (image-spec "Descriptors: Digests"): parsing, hashing, and checking content while it streams past.
 */
import { createHash, type Hash } from 'node:crypto'
import { registryErrors } from './errors.ts'

/** The algorithms that are accepted. sha256 is what everything is written with unless asked otherwise. */
export type DigestAlgorithm = 'sha256' | 'sha384' | 'sha512'

/** `algorithm:hex`, checked by {@link parseDigest}. Safe as a file name once the colon is replaced. */
export type Digest = `${DigestAlgorithm}:${string}`

const hexLength: Readonly<Record<DigestAlgorithm, number>> = { sha256: 64, sha384: 96, sha512: 128 }
const pattern = /^(sha256|sha384|sha512):([a-f0-9]+)$/

/** true when the text is a digest of a supported algorithm with the right number of lowercase hex digits. */
export function isDigest(text: unknown): text is Digest {
  if (typeof text !== 'string') return false
  const match = pattern.exec(text)
  return match !== null && match[2]!.length === hexLength[match[1] as DigestAlgorithm]
}

/** Checks a digest from outside. @throws RegistryError DIGEST_INVALID */
export function parseDigest(text: string): Digest {
  if (!isDigest(text)) throw registryErrors.digestInvalid([String(text)])
  return text
}

/** The part before the colon. */
export function digestAlgorithm(digest: Digest): DigestAlgorithm {
  return digest.slice(0, digest.indexOf(':')) as DigestAlgorithm
}

/** The part after the colon. */
export function digestHex(digest: Digest): string {
  return digest.slice(digest.indexOf(':') + 1)
}

/** Digest of bytes that are all in memory. */
export function digestOf(bytes: Uint8Array | string, algorithm: DigestAlgorithm = 'sha256'): Digest {
  return `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`
}

/** Hashes and counts chunks as they pass. */
export class Digester {
  readonly algorithm: DigestAlgorithm
  /** Bytes so far. */
  size = 0
  readonly #hash: Hash

  constructor(algorithm: DigestAlgorithm = 'sha256') {
    this.algorithm = algorithm
    this.#hash = createHash(algorithm)
  }

  update(chunk: Uint8Array): this {
    this.size += chunk.length
    this.#hash.update(chunk)
    return this
  }

  /** The digest of everything so far; chunks may still follow. */
  digest(): Digest {
    return `${this.algorithm}:${this.#hash.copy().digest('hex')}`
  }
}

/** What content must match. */
export interface Expected {
  readonly digest: Digest
  readonly size: number
}

/**
 * Checks content against a descriptor while it streams: {@link update} throws at the first byte too many, so that
 * no more than `size` bytes are ever accepted; {@link end} throws when bytes are missing or the digest differs.
 */
export class DigestVerifier {
  readonly #expected: Expected
  readonly #digester: Digester

  constructor(expected: Expected) {
    this.#expected = expected
    this.#digester = new Digester(digestAlgorithm(parseDigest(expected.digest)))
  }

  /** Bytes accepted so far. */
  get size(): number {
    return this.#digester.size
  }

  /** @throws RegistryError SIZE_MISMATCH */
  update(chunk: Uint8Array): void {
    const { digest, size } = this.#expected
    if (this.#digester.size + chunk.length > size) throw registryErrors.sizeMismatch([digest, size, 'more'])
    this.#digester.update(chunk)
  }

  /** @throws RegistryError SIZE_MISMATCH, DIGEST_MISMATCH */
  end(): void {
    const { digest, size } = this.#expected
    if (this.#digester.size !== size) throw registryErrors.sizeMismatch([digest, size, String(this.#digester.size)])
    const actual = this.#digester.digest()
    if (actual !== digest) throw registryErrors.digestMismatch(['content', digest, actual])
  }
}

/** Passes chunks on and throws like {@link DigestVerifier}: what was yielded before may not be used when it throws. */
export async function* verified<T extends Uint8Array>(chunks: AsyncIterable<T>, expected: Expected): AsyncGenerator<T> {
  const verifier = new DigestVerifier(expected)
  for await (const chunk of chunks) {
    verifier.update(chunk)
    yield chunk
  }
  verifier.end()
}
