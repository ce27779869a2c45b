/** What stages are resolved with: options, and answers about base images and named contexts (build/world.ts). */
import type { Descriptor, Platform } from '@tsbuild/registry-client'
import type { ImageConfig } from '../graph/image-config.ts'
import type { Location } from '../source.ts'
import type { DatedSource } from './source-date-epoch.ts'

export interface StageOptions {
  readonly target: string | undefined
  /** The platform that is built for. */
  readonly platform: Platform
  /** The platform this machine runs. */
  readonly buildPlatform: Platform
  readonly buildArgs: ReadonlyMap<string, string>
  /** Look at the bases of all stages, not only of those that the target needs: what a check without target does. */
  readonly allStages: boolean
}

/** An image whose manifest and config are known; its layers are not fetched yet. */
export interface ResolvedImage {
  /** Normalised reference: `docker.io/library/debian:12@sha256:…`; key of the build's table of image sources. */
  readonly ref: string
  readonly manifest: Descriptor
  readonly config: ImageConfig
  readonly layers: readonly { readonly descriptor: Descriptor; readonly diffID: string }[]
}

/** What a `--build-context NAME=VALUE` stands for. */
export type NamedContext =
  | { readonly kind: 'image'; readonly image: ResolvedImage }
  | { readonly kind: 'scratch' }
  /** A file tree: key into the build's table of opened contexts. */
  | { readonly kind: 'tree'; readonly context: string }

export interface StageWorld {
  /** Throws a BuildError when that is no name of an image. */
  checkName(reference: string, at: Location): void
  /** Rejects with a BuildError when the image does not exist, has no such platform or cannot be reached. */
  resolveImage(reference: string, platform: Platform, at: Location): Promise<ResolvedImage>
  /** Whether a named context stands for a name; image references such as `alpine:latest` match the name `alpine`. */
  hasNamedContext(name: string): boolean
  /** Resolves a named context; undefined if there is none of that name. */
  namedContext(name: string, platform: Platform): Promise<NamedContext | undefined>
  /** When a context was made, seconds; undefined if it has no such time. */
  contextTime(name: string): Promise<number | undefined>
  /** When a remote source was made, seconds: of the commit, or Last-Modified. */
  sourceTime(source: DatedSource): Promise<number | undefined>
}
