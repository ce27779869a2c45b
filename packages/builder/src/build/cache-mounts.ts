/** The cache mounts of a build's RUNs, in all attempts to solve it: filled from shared caches before their first use, and packed for them at the end. */
import { createReadStream, createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { Descriptor, Digest } from '@tsbuild/registry-client'
import pLimit from 'p-limit'
import type { MountedContent, SharedCaches } from '../cache/import.ts'
import type { MountChoice } from '../cache/mount-attributes.ts'
import { chunkBlobs, MOUNT_LIMITS, type SharedMount } from '../cache/mounts.ts'
import { throwIfAborted } from '../errors.ts'
import { type CacheSpec, cacheMountName } from '../steps/cache-mount-name.ts'
import type { WorkerClient } from '../steps/worker-api.ts'
import type { Session } from './session.ts'
import type { BuildSettings } from './settings.ts'

/** Chunks that are fetched at the same time. */
const CONCURRENCY = 6

export class BuildCacheMounts {
  readonly #session: Session
  readonly #worker: WorkerClient
  readonly #caches: SharedCaches | undefined
  readonly #maxSize: number
  /** Every mount that a RUN of this build has used, by name, with the way it was used first. */
  readonly #used = new Map<string, { readonly spec: CacheSpec; readonly ready: Promise<void> }>()
  readonly #packed = new Map<string, Promise<SharedMount | undefined>>()
  /** Files with the chunks of what was packed, by digest. */
  readonly #files = new Map<string, string>()
  #directory: Promise<string> | undefined

  constructor(
    session: Session,
    worker: WorkerClient,
    caches: SharedCaches | undefined,
    { cacheTo }: Pick<BuildSettings, 'cacheTo'>,
  ) {
    this.#session = session
    this.#worker = worker
    this.#caches = caches
    this.#maxSize = Math.max(0, ...cacheTo.map(({ mounts }) => mounts?.maxSize ?? 0))
  }

  /**
   * Called before a RUN opens a mount: what it holds is looked for once in a build, and only if it is empty. Never a
   * reason to fail.
   */
  before(spec: CacheSpec, signal: AbortSignal): Promise<void> {
    const name = cacheMountName(spec)
    // A build that is solved again writes to it once more.
    this.#packed.delete(name)
    const known = this.#used.get(name)
    if (known !== undefined) return known.ready
    // What is to begin empty does.
    const ready = spec.renew ? Promise.resolve() : this.#fill(name, spec, signal)
    this.#used.set(name, { spec, ready })
    return ready
  }

  async #fill(name: string, spec: CacheSpec, signal: AbortSignal): Promise<void> {
    const found = (await this.#caches?.mountContents(name)) ?? []
    if (found.length === 0 || !(await this.#worker.call('mount.isEmpty', { name }, { signal }))) return
    for (const content of found) {
      try {
        await this.#session.task(`filling cache mount ${spec.id} from ${content.cache}`, (report) =>
          this.#fillFrom(content, spec, signal, report),
        )
        return
      } catch (error) {
        throwIfAborted(signal)
        const problem = error instanceof Error ? error.message : String(error)
        this.#session.warn({
          rule: '',
          message: `cache mount ${spec.id} is not filled from ${content.cache}: ${problem}`,
        })
      }
    }
  }

  async #fillFrom(
    content: MountedContent,
    mount: CacheSpec,
    signal: AbortSignal,
    report: (item: string, current: number, total: number) => void,
  ): Promise<void> {
    await using directory = await this.#session.store.blobs.temporary('mount')
    const { diffID, size, chunks } = content.mount
    const blobs = [...new Map(chunkBlobs(content.mount).map((blob) => [blob.digest, blob])).values()]
    const total = blobs.reduce((sum, blob) => sum + blob.size, 0)
    const failure = new AbortController()
    const limited = AbortSignal.any([signal, failure.signal])
    const limit = pLimit(CONCURRENCY)
    let current = 0
    await Promise.allSettled(
      blobs.map((blob) =>
        limit(async () => {
          limited.throwIfAborted()
          const out = createWriteStream(chunkFile(directory.path, blob.digest), { flags: 'wx', mode: 0o600 })
          await pipeline(content.open(blob, limited), out, { signal: limited })
          current += blob.size
          report(`fetching ${blob.digest}`, current, total)
        }).catch((error: unknown) => failure.abort(error)),
      ),
    )
    signal.throwIfAborted()
    if (failure.signal.aborted) throw failure.signal.reason
    const files = chunks.map(({ digest }) => chunkFile(directory.path, digest))
    if (await this.#worker.call('mount.fill', { mount, chunks: files, diffID, size }, { signal })) content.used()
  }

  /** What the mounts that were used, and are wanted, hold now; each is read once for all caches. */
  async pack(choice: MountChoice, cache: string, signal: AbortSignal): Promise<SharedMount[]> {
    const taken: SharedMount[] = []
    const chunks = new Set<string>()
    let size = 0
    for (const [name, { spec, ready }] of this.#used) {
      if (choice.ids !== undefined && !choice.ids.has(spec.id)) continue
      await ready
      const mount = await this.#pack(name, spec, signal)
      if (mount === undefined) continue
      const fresh = mount.chunks.filter(({ digest }) => !chunks.has(digest))
      const fits = size + mount.size <= choice.maxSize
      if (!fits || chunks.size + fresh.length > MOUNT_LIMITS.chunks) {
        const why = fits
          ? `a cache has room for ${MOUNT_LIMITS.chunks} chunks`
          : `mounts-max-size is ${choice.maxSize} bytes, of which ${choice.maxSize - size} are left, and it has ${mount.size}`
        this.#warn(spec, `not part of the cache ${cache}: ${why}`)
        continue
      }
      size += mount.size
      for (const { digest } of fresh) chunks.add(digest)
      taken.push(mount)
    }
    return taken
  }

  /** The content of a chunk of {@link pack}; undefined for other blobs. */
  open({ digest }: Descriptor, offset: number): AsyncIterable<Uint8Array> | undefined {
    return this.#files.has(digest) ? createReadStream(this.#files.get(digest)!, { start: offset }) : undefined
  }

  #pack(name: string, spec: CacheSpec, signal: AbortSignal): Promise<SharedMount | undefined> {
    let packed = this.#packed.get(name)
    if (packed === undefined) {
      packed = this.#session
        .task(`packing cache mount ${spec.id}`, () => this.#packNow(name, spec, signal))
        .catch((error: unknown) => {
          throwIfAborted(signal)
          this.#warn(spec, `not part of the cache: ${error instanceof Error ? error.message : String(error)}`)
          return undefined
        })
      this.#packed.set(name, packed)
    }
    return packed
  }

  async #packNow(name: string, spec: CacheSpec, signal: AbortSignal): Promise<SharedMount | undefined> {
    this.#directory ??= this.#session.store.blobs.temporary('mounts').then((made) => this.#session.use(made).path)
    const out = await this.#directory
    // Later than what is known of it, whatever the clock of its machine says: the latest counts.
    const known = (await this.#caches?.mountContents(name)) ?? []
    const created = Math.max(Date.now(), ...known.map(({ mount }) => mount.created + 1))
    const { sharing, id } = spec
    const packed = await this.#worker.call('mount.pack', { name, sharing, out, maxSize: this.#maxSize }, { signal })
    switch (packed.status) {
      case 'absent':
        return undefined
      case 'busy':
        this.#warn(spec, 'not part of the cache: another build uses it by now')
        return undefined
      case 'changing':
        this.#warn(spec, 'not part of the cache: it was written to while it was read')
        return undefined
      case 'too-big':
        this.#warn(spec, `not part of the cache: ${packed.what} (mounts-max-size says how many bytes all may have)`)
        return undefined
      case 'packed': {
        const { diffID, size, leftOut } = packed
        if (leftOut !== undefined)
          this.#warn(spec, `in the cache without ${leftOut.files} sockets, devices or odd names (/${leftOut.example})`)
        const chunks = packed.chunks.map((chunk) => ({ ...chunk, digest: chunk.digest as Digest }))
        for (const { digest } of chunks) this.#files.set(digest, chunkFile(out, digest))
        return { key: name, id, created, diffID: diffID as Digest, size, chunks }
      }
    }
  }

  #warn({ id }: CacheSpec, problem: string): void {
    this.#session.warn({ rule: '', message: `cache mount ${id} is ${problem}` })
  }
}

function chunkFile(directory: string, digest: string): string {
  return join(directory, digest.slice('sha256:'.length))
}
