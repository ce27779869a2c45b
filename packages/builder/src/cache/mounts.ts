/**
 * What cache mounts of RUN held, as a shared cache has it: an archive in chunks, whose cuts the content decides, so that
 * an archive of which little has changed has most of its chunks in common with the one before.
 */
import { type Descriptor, type Digest, schema } from '@tsbuild/registry-client'

/** A chunk is a zstd frame. */
const CHUNK_MEDIA_TYPE = 'application/vnd.tsbuild.cachemount.chunk.v1+zstd'

export interface MountChunk {
  /** Of the compressed bytes, like `size`. */
  readonly digest: Digest
  readonly size: number
}

export interface SharedMount {
  /** Tells caches apart: see `cacheMountName`. */
  readonly key: string
  /** As the Dockerfile has it. */
  readonly id: string
  /** When it was read. Milliseconds. */
  readonly created: number
  /** Of the archive, like `size`. */
  readonly diffID: Digest
  readonly size: number
  readonly chunks: readonly MountChunk[]
}

/**
 * What a document has at most: manifests that name them have their limits. And what a chunk has at most, which is cut
 * and compressed by us and may come from anywhere.
 */
export const MOUNT_LIMITS = { mounts: 1000, chunks: 8000, chunkBytes: 5 << 20 } as const

export function chunkBlobs({ chunks }: SharedMount): Descriptor[] {
  return chunks.map(({ digest, size }) => ({ mediaType: CHUNK_MEDIA_TYPE, digest, size }))
}

/** Of several with one key, the latest. */
export function latestMounts(mounts: readonly SharedMount[]): SharedMount[] {
  const latest = new Map<string, SharedMount>()
  for (const mount of mounts) {
    const other = latest.get(mount.key)
    if (other === undefined || other.created <= mount.created) latest.set(mount.key, mount)
  }
  return [...latest.values()]
}

/** As many as a document may have: first `own`, then the latest. */
export function mountsThatFit(mounts: readonly SharedMount[], own: readonly SharedMount[] = []): SharedMount[] {
  const isOwn = new Set(own.map(({ key }) => key))
  const chunks = new Set<string>()
  const taken: SharedMount[] = []
  const order = (a: SharedMount, b: SharedMount) =>
    Number(isOwn.has(b.key)) - Number(isOwn.has(a.key)) || b.created - a.created
  for (const mount of latestMounts(mounts).sort(order)) {
    if (taken.length >= MOUNT_LIMITS.mounts || mount.chunks.some(({ size }) => size > MOUNT_LIMITS.chunkBytes)) continue
    const fresh = new Set(mount.chunks.map(({ digest }) => digest).filter((digest) => !chunks.has(digest)))
    if (chunks.size + fresh.size > MOUNT_LIMITS.chunks) continue
    for (const digest of fresh) chunks.add(digest)
    taken.push(mount)
  }
  return taken
}

export const sharedMountSchema = schema.object<SharedMount>({
  key: schema.matching(/^[0-9a-f]{40}$/, '40 hexadecimal digits'),
  id: schema.text,
  created: schema.size,
  diffID: schema.digest,
  size: schema.size,
  chunks: schema.list(schema.object<MountChunk>({ digest: schema.digest, size: schema.size }), 'chunks'),
})
