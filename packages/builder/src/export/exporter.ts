/**
 * Exporters: what becomes of a built image. One file per type, one line in index.ts.
 *
 * `parse` checks the attributes before the build starts; `export` runs after every step has succeeded, so that a failed
 * build never touches an earlier output.
 */
import type { Descriptor, Repository, Source } from '@tsbuild/registry-client'
import type { AssembledImage } from '../image/assemble.ts'
import type { OutputSpec } from '../options.ts'
import type { OutputResult } from '../results.ts'
import type { Store } from '../store/store.ts'
import type { Annotation } from './annotations.ts'

/** The images of a build, in the content store. */
export interface BuiltImages {
  /** What the names point at: the only image's manifest, or the index. */
  readonly descriptor: Descriptor
  readonly images: readonly AssembledImage[]
  /** Milliseconds. */
  readonly created: string
}

/** How an exporter wants the images' documents written. */
export interface DocumentFormat {
  readonly format: 'oci' | 'docker'
  readonly compression: 'gzip' | 'zstd' | 'none'
  readonly level: number | undefined
  /** Layers of base images are compressed like new ones. */
  readonly force: boolean
  /** Times in new layers that are later than SOURCE_DATE_EPOCH become it. */
  readonly rewriteTimestamp: boolean
  /** Seconds, in place of the build's `own` SOURCE_DATE_EPOCH; `none` takes that away. */
  readonly epoch: number | 'own' | 'none'
  readonly annotations: readonly Annotation[]
}

/** What exporters may use. */
export interface ExportContext {
  readonly store: Store
  /** Normalised names given with --tag. */
  readonly tags: readonly string[]
  readonly stdout: NodeJS.WritableStream | undefined
  readonly signal: AbortSignal
  readonly now: () => number
  /** The built images, to be copied: what the store lacks of base images is fetched when it is opened. */
  readonly source: Source
  /** Makes sure that all blobs of the built images are in the store. */
  complete(): Promise<void>
  /** Images in the wanted format. */
  images(format: Partial<DocumentFormat>): Promise<BuiltImages>
  /** Writes the platforms' root filesystems as files or as a tar file. */
  writeRootfs(dest: string, format: 'directory' | 'tar', options: RootfsOptions): Promise<void>
  /** Opens the repository that a normalised name stands in; `insecure`: also without TLS or its certificates. */
  repository(name: string, options: { readonly insecure: boolean }): Repository
  warn(message: string): void
  /** `registry/repository` of what may have a blob, for cross-repository mounts, likeliest first. */
  readonly mountFrom: (descriptor: Descriptor) => readonly string[]
  progress(item: string, current: number, total: number): void
}

/** How root filesystems are handed out. */
export interface RootfsOptions {
  /** Each platform in a directory of its own; undefined: when there are several. */
  readonly split: boolean | undefined
  readonly epoch: DocumentFormat['epoch']
}

/** A checked output, ready to run. */
export interface PreparedOutput {
  readonly type: OutputSpec['type']
  /** As progress shows it. */
  readonly title: string
  /** What of its attributes will have no effect. */
  readonly warnings: readonly string[]
  /** `none`: the build's SOURCE_DATE_EPOCH is not for this output. */
  readonly epoch: DocumentFormat['epoch']
  /** Of its image; undefined when it makes none. */
  readonly annotations: readonly Annotation[] | undefined
  /** Names are pushed without a tag, so that they must have none. */
  readonly pushByDigest: boolean
  /** Repositories (`registry/repository`) that an image with these tags is pushed to; undefined for types that do not. */
  readonly pushesTo?: (tags: readonly string[]) => readonly string[]
  export(context: ExportContext): Promise<OutputResult>
}

export interface Exporter {
  readonly type: OutputSpec['type']
  /** Every attribute that it has. */
  readonly attributes: readonly string[]
  /** @throws BuildError OUTPUT_INVALID */
  parse(attrs: ReadonlyMap<string, string>): PreparedOutput
}
