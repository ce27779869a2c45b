/** Layers of images, as manifest and config speak of them, and where their blobs are to be had. */
import type { Descriptor } from '@tsbuild/registry-client'

export interface Layer {
  /** The blob as it is stored: compressed. */
  readonly descriptor: Descriptor
  /** Digest of the tar inside it. */
  readonly diffID: string
}

/** Where blobs of layers are fetched that are not in the store: a base image's registry or layout, a shared cache. */
export interface LayerSource {
  /** What a `cache` does not give, or gives wrong, is made again; an `image` is needed. */
  readonly kind: 'image' | 'cache'
  /** For progress and messages. */
  readonly name: string
  /** `registry/repository` whose blobs its registry can mount; undefined for others. */
  readonly repository: string | undefined
  /** See `Source.openBlob` of the registry client. */
  openBlob(
    descriptor: Descriptor,
    options: { readonly signal: AbortSignal; readonly transient?: boolean },
  ): AsyncIterable<Buffer>
}
