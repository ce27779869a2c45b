/**
 * Exporters: what becomes of a built image. One file per type, one line in index.ts.
 *
 * `parse` checks the attributes before the build starts; `export` runs after every step has succeeded, so that a failed
 * build never touches an earlier output.
 */
import type { Descriptor, Repository } from '@tsbuild/registry-client'
import type { AssembledImage } from '../image/assemble.ts'
import type { OutputResult, OutputSpec } from '../options.ts'
import type { Store } from '../store/store.ts'

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
  /** Times in new layers that are later than SOURCE_DATE_EPOCH become it. */
  readonly rewriteTimestamp: boolean
  /** Seconds, in place of the build's SOURCE_DATE_EPOCH. */
  readonly epoch: number | 'none'
  readonly annotations: Readonly<Record<string, string>>
  readonly indexAnnotations: Readonly<Record<string, string>>
}

/** What exporters may use. */
export interface ExportContext {
  readonly store: Store
  /** Normalised names given with --tag. */
  readonly tags: readonly string[]
  readonly stdout: NodeJS.WritableStream | undefined
  readonly signal: AbortSignal
  readonly now: () => number
  /** Makes sure that all blobs of the built images are in the store. */
  complete(): Promise<void>
  /** Images in the wanted format. */
  images(format: Partial<DocumentFormat>): Promise<BuiltImages>
  /** Writes a platform's root filesystem as files or as a tar file. */
  writeRootfs(dest: string, format: 'directory' | 'tar'): Promise<void>
  /** Opens the repository that a normalised name stands in. */
  repository(name: string): Repository
  /** `registry/repository` of base images, for cross-repository mounts. */
  readonly mountFrom: readonly string[]
  progress(item: string, current: number, total: number): void
}

/** A checked output, ready to run. */
export interface PreparedOutput {
  readonly type: OutputSpec['type']
  /** As progress shows it. */
  readonly title: string
  /** `source-date-epoch=` without a value: the SOURCE_DATE_EPOCH that the file itself sets does not count for it. */
  readonly withoutEpoch?: boolean
  export(context: ExportContext): Promise<OutputResult>
}

export interface Exporter {
  readonly type: OutputSpec['type']
  /** @throws BuildError OUTPUT_INVALID */
  parse(attrs: ReadonlyMap<string, string>): PreparedOutput
}
