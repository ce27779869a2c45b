/**
 * What a shared cache knows, in one JSON document: results of steps by key, the layers they gave, and fingerprints of
 * files by key. Keys and fingerprints are the local store's own, so that what is found here is what a build on this
 * machine would have remembered.
 *
 * The snapshot that a step gave is named by its key and, that of a RUN, by a random text (see "Keys and identities" in
 * ARCHITECTURE.md). Steps on top are keyed by that name, so it is enough to find these, even where the record has no
 * layer. The document has what the name is made of, not the name: whoever writes it can say nothing of the snapshots of
 * other steps.
 */
import { type Descriptor, descriptorSchema, isLayerType, schema } from '@tsbuild/registry-client'
import { KEY_VERSION, snapshotName } from '../graph/key.ts'
import type { Layer } from '../graph/layer.ts'
import { COMPRESSION_TEXT } from './compression.ts'
import { chunkBlobs, latestMounts, mountsThatFit, type SharedMount, sharedMountSchema } from './mounts.ts'

/** Media type of the document where it is a blob of its own. */
export const CACHE_MEDIA_TYPE = 'application/vnd.tsbuild.cacheconfig.v1+json'

/** One result of a step. Times are milliseconds. */
export interface CacheRecord {
  readonly kind: 'file' | 'run'
  readonly key: string
  /** Tells results of one key apart; undefined for a file step, whose result the key decides. */
  readonly nonce: string | undefined
  readonly started: number
  readonly created: number
  /** undefined: the result is known, its content is not kept (mode=min). */
  readonly layer: Layer | undefined
  /** How the layer is compressed, where not as usual: see {@link formatCompression}. */
  readonly compression?: string | undefined
}

export interface CacheDocument {
  /** Several results of one key may stand side by side, from machines that ran the step at the same time. */
  readonly records: readonly CacheRecord[]
  /** Digests of copied files by key. */
  readonly fingerprints: ReadonlyMap<string, string>
  /** What cache mounts held, each once. */
  readonly mounts?: readonly SharedMount[] | undefined
}

/** A blob that a document needs beside it. */
export interface CacheBlob {
  readonly descriptor: Descriptor
  /** Of layers. */
  readonly diffID?: string | undefined
}

export const EMPTY_DOCUMENT: CacheDocument = { records: [], fingerprints: new Map() }

/** The blobs of a document, each once. */
export function layersOf({ records }: CacheDocument): Layer[] {
  return [...new Map(records.flatMap(({ layer }) => (layer ? [[layer.descriptor.digest, layer]] : []))).values()]
}

/** All that a document needs beside it, each once: layers, and chunks of cache mounts. */
export function blobsOf(document: CacheDocument): CacheBlob[] {
  const layers = layersOf(document)
  const chunks = (document.mounts ?? []).flatMap(chunkBlobs).map((descriptor): CacheBlob => ({ descriptor }))
  if (chunks.length === 0) return layers
  return [...new Map([...chunks, ...layers].map((blob) => [blob.descriptor.digest, blob])).values()]
}

/** Both documents in one. Of two records of one result, the one that has a layer stays; of two mounts, the latest. */
export function mergeDocuments(...documents: readonly CacheDocument[]): CacheDocument {
  const records = new Map<string, CacheRecord>()
  const fingerprints = new Map<string, string>()
  const mounts = latestMounts(documents.flatMap((document) => document.mounts ?? []))
  for (const document of documents) {
    for (const record of document.records) {
      const name = snapshotName(record)
      if (records.get(name)?.layer === undefined) records.set(name, record)
    }
    for (const [key, digest] of document.fingerprints) fingerprints.set(key, digest)
  }
  return { records: [...records.values()], fingerprints, ...(mounts.length > 0 && { mounts }) }
}

interface StoredDocument {
  readonly keyVersion: number
  readonly records: readonly CacheRecord[]
  readonly fingerprints: Readonly<Record<string, string>>
  readonly mounts?: readonly SharedMount[] | undefined
}

/** Deterministic: equal documents have equal bytes. */
export function serializeDocument({ records, fingerprints, mounts = [] }: CacheDocument): Buffer {
  const order = (a: CacheRecord, b: CacheRecord) =>
    compare(a.key, b.key) || a.created - b.created || compare(a.nonce ?? '', b.nonce ?? '')
  const stored: StoredDocument = {
    keyVersion: KEY_VERSION,
    records: records.toSorted(order),
    fingerprints: Object.fromEntries([...fingerprints].sort(([a], [b]) => compare(a, b))),
    ...(mounts.length > 0 && { mounts: mounts.toSorted((a, b) => compare(a.key, b.key)) }),
  }
  return Buffer.from(JSON.stringify(stored))
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

const layer = schema.object<Layer>({ descriptor: descriptorSchema, diffID: schema.digest })
const hash = schema.matching(/^[0-9a-f]{64}$/, '64 hexadecimal digits')

const documentSchema = schema.object<StoredDocument>({
  keyVersion: schema.integer,
  records: schema.list(
    schema.object<CacheRecord>({
      kind: schema.oneOf('file', 'run'),
      key: hash,
      nonce: schema.optional(schema.text),
      started: schema.size,
      created: schema.size,
      layer: schema.optional(layer),
      compression: schema.optional(schema.matching(COMPRESSION_TEXT, 'a compression')),
    }),
    'records',
  ),
  fingerprints: schema.table(schema.text, 'texts'),
  mounts: schema.optional(schema.list(sharedMountSchema, 'cache mounts')),
})

/**
 * Reads a document. One of another {@link KEY_VERSION} has nothing that could be found, and is empty.
 *
 * @throws schema.SchemaProblem when it is none
 */
export function parseCacheDocument(bytes: Uint8Array): CacheDocument {
  const { keyVersion, records, fingerprints, mounts = [] } = schema.parseDocument(bytes, documentSchema)
  if (keyVersion !== KEY_VERSION) return EMPTY_DOCUMENT
  return {
    records: records.map(withPlainLayer),
    fingerprints: new Map(Object.entries(fingerprints)),
    ...(mounts.length > 0 && { mounts: mountsThatFit(mounts) }),
  }
}

/** Of a layer only what names it: where else its bytes may be had, for one, is not the document's to say. */
function withPlainLayer(record: CacheRecord): CacheRecord {
  if (record.layer === undefined) return record
  const { mediaType, digest, size } = record.layer.descriptor
  const { diffID } = record.layer
  return { ...record, layer: isLayerType(mediaType) ? { descriptor: { mediaType, digest, size }, diffID } : undefined }
}

/** The document with the layers that `has` says are there; of others the results are known, and their content is not kept. */
export function withLayers(document: CacheDocument, has: (layer: Layer) => boolean): CacheDocument {
  const records = document.records.map((record) =>
    record.layer !== undefined && !has(record.layer) ? { ...record, layer: undefined } : record,
  )
  return { ...document, records }
}

/** {@link withLayers}, and without the mounts of which a chunk is not there. */
export function withBlobs(document: CacheDocument, has: (digest: string) => boolean): CacheDocument {
  const { mounts = [], ...rest } = withLayers(document, ({ descriptor }) => has(descriptor.digest))
  const whole = mounts.filter(({ chunks }) => chunks.every(({ digest }) => has(digest)))
  return whole.length > 0 ? { ...rest, mounts: whole } : rest
}

/** Bytes of a document that is read. */
export const MAX_DOCUMENT_BYTES = 64 << 20
/** What a document that is written has at most: manifests have their limits, and whatever is merged would grow for ever. */
const LIMITS = { records: 20_000, layers: 4000, fingerprints: 40_000 } as const

/**
 * What is written where `there` was: all of `own`, and as much of what is there as fits, the newest first.
 *
 * @param limits for tests
 */
export function documentToWrite(
  there: CacheDocument,
  own: CacheDocument,
  limits: { readonly [K in keyof typeof LIMITS]: number } = LIMITS,
): CacheDocument {
  const merged = mergeDocuments(there, own)
  const mine = new Set(own.records.map(snapshotName))
  const isMine = (record: CacheRecord) => mine.has(snapshotName(record))
  const layers = new Set<string>()
  const records = merged.records
    .toSorted((a, b) => Number(isMine(b)) - Number(isMine(a)) || b.created - a.created)
    .filter((record, n) => {
      if (isMine(record)) {
        if (record.layer) layers.add(record.layer.descriptor.digest)
        return true
      }
      if (n >= limits.records) return false
      const digest = record.layer?.descriptor.digest
      if (digest === undefined || layers.has(digest)) return true
      if (layers.size >= limits.layers) return false
      layers.add(digest)
      return true
    })
  const others = [...merged.fingerprints].filter(([key]) => !own.fingerprints.has(key))
  const room = Math.max(0, limits.fingerprints - own.fingerprints.size)
  const mounts = mountsThatFit(merged.mounts ?? [], own.mounts)
  return {
    records,
    fingerprints: new Map([...own.fingerprints, ...others.slice(0, room)]),
    ...(mounts.length > 0 && { mounts }),
  }
}
