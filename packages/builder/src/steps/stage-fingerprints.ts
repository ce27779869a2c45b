/**
 * Fingerprints of files of other stages and images. They decide the key of a file step, so whoever says a wrong one says
 * which layer the step has: see "What a shared cache may say" in ARCHITECTURE.md.
 */
import type { StepKey } from '../graph/key.ts'
import type { FileStep } from '../graph/step.ts'
import { layerErrors } from './layers.ts'
import type { SharedFingerprint, StepCache } from './step-cache.ts'

/** Files whose fingerprint may be known by the key of what they are a part of. */
export interface StageFiles {
  readonly key: string
  compute(): Promise<string>
}

/** What a shared cache says of files. */
interface Claim extends SharedFingerprint {
  readonly files: StageFiles
}

export class StageFingerprints {
  readonly #cache: StepCache
  /** What the keys of steps rest on that nobody has computed here. */
  readonly #claims = new WeakMap<FileStep, readonly Claim[]>()

  constructor(cache: StepCache) {
    this.#cache = cache
  }

  /**
   * The key of a step. A shared cache is believed if it has what the key finds as well: then it says no more than which
   * layer the step has, as with any other record. Otherwise nothing would be gained, and the files are looked at.
   *
   * @param sources what each operation takes: a digest, or files that have one
   */
  async keyOf(
    step: FileStep,
    sources: readonly (string | StageFiles)[],
    keyWith: (digests: readonly string[]) => StepKey,
  ): Promise<StepKey> {
    const cache = this.#cache
    const digests = await Promise.all(
      sources.map((source) => (typeof source === 'string' ? source : cache.knownFingerprint(source.key))),
    )
    const unknown = sources.filter((source, i): source is StageFiles => digests[i] === undefined && isFiles(source))
    const withClaims = (claims: readonly Claim[]) =>
      keyWith(digests.map((digest, i) => digest ?? claims.find(({ files }) => files === sources[i])!.digest))
    for (const claims of unknown.length === 0 ? [] : await this.#claimsOf(unknown)) {
      const keyed = withClaims(claims)
      if (!(await cache.isSharedBy(claims[0]!.source, keyed.key))) continue
      for (const { files, digest } of claims) cache.fingerprints.set(files.key, digest)
      this.#claims.set(step, claims)
      return keyed
    }
    const computed = await Promise.all(
      sources.map(async (source, i) =>
        isFiles(source) ? (digests[i] ?? (await cache.fingerprint(source.key, source.compute))) : source,
      ),
    )
    return keyWith(computed)
  }

  /** Of each shared cache that knows all of the files. */
  async #claimsOf(all: readonly StageFiles[]): Promise<Claim[][]> {
    const said = await Promise.all(all.map(({ key }) => this.#cache.sharedFingerprints(key)))
    return said[0]!.flatMap(({ source }) => {
      const claims = all.flatMap((files, i) => {
        const found = said[i]!.find((one) => one.source === source)
        return found === undefined ? [] : [{ ...found, files }]
      })
      return claims.length === all.length ? [claims] : []
    })
  }

  /**
   * A step is about to be made under its key: that has to be the one of the files that are here.
   *
   * @throws BuildError CACHE_LAYER_LOST when a shared cache has said something else of them
   */
  async prove(step: FileStep): Promise<void> {
    for (const { files, digest, source } of this.#claims.get(step) ?? []) {
      const computed = await this.#cache.fingerprint(files.key, files.compute)
      if (computed === digest) continue
      this.#cache.distrustFingerprints(source)
      const cause = new Error('the files have another one')
      throw layerErrors.sharedLayerLost(['the digest of copied files', source.name, cause.message], { cause })
    }
    this.#claims.delete(step)
  }
}

function isFiles(source: string | StageFiles): source is StageFiles {
  return typeof source !== 'string'
}
