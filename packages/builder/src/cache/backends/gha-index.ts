/**
 * What a cache in GitHub Actions writes: entries with many blobs in each (packs), since new entries are counted, and index
 * entries that say what is where. An index is two lines: the packs, and the document.
 */
import { type Digest, digestOf, schema } from '@tsbuild/registry-client'
import type { DocumentCodec } from '../codec.ts'
import { blobsOf, type CacheDocument } from '../document.ts'

/** An entry with blobs, one after the other. */
export interface Pack {
  readonly key: string
  readonly blobs: readonly PackedBlob[]
}

export interface PackedBlob {
  readonly digest: Digest
  readonly size: number
  readonly offset: number
}

export interface ActionsIndex {
  readonly packs: readonly Pack[]
  readonly document: CacheDocument
}

/** Blobs up to this size share entries, and entries with several are about so big. */
const SMALL = 16 << 20
const PACK = 64 << 20

/** Packs for blobs. A big one has an entry of its own. */
export function packsOf(blobs: readonly { readonly digest: Digest; readonly size: number }[]): Pack[] {
  const groups: PackedBlob[][] = []
  let open: PackedBlob[] | undefined
  let offset = 0
  for (const { digest, size } of blobs) {
    if (size > SMALL) {
      groups.push([{ digest, size, offset: 0 }])
      continue
    }
    if (open === undefined || offset + size > PACK) {
      open = []
      offset = 0
      groups.push(open)
    }
    open.push({ digest, size, offset })
    offset += size
  }
  return groups.map((group) => ({ key: packKey(group), blobs: group }))
}

/** Two jobs that pack the same blobs make one entry. */
function packKey(blobs: readonly PackedBlob[]): string {
  const text = blobs.map(({ digest, size }) => `${digest} ${size}`).join('\n')
  return `tsbuild-blobs-1-${digestOf(text).slice('sha256:'.length, 'sha256:'.length + 32)}`
}

/** Where blobs are, by digest. The first of `packs` that has one counts. */
export function placesOf(packs: readonly Pack[]): Map<string, { readonly key: string; readonly blob: PackedBlob }> {
  const places = new Map<string, { readonly key: string; readonly blob: PackedBlob }>()
  for (const { key, blobs } of packs)
    for (const blob of blobs) if (!places.has(blob.digest)) places.set(blob.digest, { key, blob })
  return places
}

/** Those of the packs that hold something of a document, each once. */
export function packsFor(document: CacheDocument, packs: readonly Pack[]): Pack[] {
  const places = placesOf(packs)
  const keys = new Set(blobsOf(document).map(({ descriptor }) => places.get(descriptor.digest)?.key))
  return [...new Map(packs.filter(({ key }) => keys.has(key)).map((pack) => [pack.key, pack])).values()]
}

export function serializeIndex({ packs, document }: ActionsIndex, codec: DocumentCodec): Buffer {
  const sorted = packs.toSorted((a, b) => (a.key < b.key ? -1 : 1))
  return Buffer.concat([Buffer.from(`${JSON.stringify(sorted)}\n`), codec.encode(document)])
}

const packsSchema = schema.list(
  schema.object<Pack>({
    key: schema.matching(/^tsbuild-blobs-1-[0-9a-f-]{1,80}$/, 'a key of a pack'),
    blobs: schema.list(
      schema.object<PackedBlob>({ digest: schema.digest, size: schema.size, offset: schema.size }),
      'blobs',
    ),
  }),
  'packs',
)

/** @throws schema.SchemaProblem when it is none */
export function parseIndex(bytes: Buffer, codec: DocumentCodec): ActionsIndex {
  const end = bytes.indexOf(10)
  const packs = schema.parseDocument(bytes.subarray(0, Math.max(0, end)), packsSchema)
  return { packs, document: codec.decode(bytes.subarray(end + 1)) }
}
