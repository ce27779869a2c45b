/** A layer of an image, as manifest and config speak of it. */
import type { Descriptor } from '@tsbuild/registry-client'

export interface Layer {
  /** The blob as it is stored: compressed. */
  readonly descriptor: Descriptor
  /** Digest of the tar inside it. */
  readonly diffID: string
}
