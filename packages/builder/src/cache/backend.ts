/**
 * Where results of builds are shared: a registry, a directory, a service. A backend holds blobs by digest and one
 * document that says which results they are ({@link CacheDocument}); what a result means, it does not know.
 *
 * An importer is read lazily: the document once, at the start of a build, a blob only when a step needs its files or an
 * output its bytes. Whatever it gives is not trusted: blobs are checked against their digests, the document on its schema,
 * and a backend that fails costs the build one warning and the steps their time, never more. An exporter writes what is
 * new and adds its document to the one that is there, so that jobs which write one place at the same time end with all
 * that they know in it.
 *
 * A backend is one file in `cache/backends/`, with a line in `cache/backends/index.ts`; it passes the contract suite.
 * Owner of both is the session of the build, which disposes them; after that nothing of them is under way.
 */
import type { Descriptor, OpenContent, RegistryClient, Repository } from '@tsbuild/registry-client'
import type { CompressionChoice } from '../layer/compression-attributes.ts'
import type { DocumentCodec } from './codec.ts'
import type { CacheDocument } from './document.ts'
import type { MountChoice } from './mount-attributes.ts'

/** What backends may use of a build. */
export interface CacheServices {
  /** Opens the repository that a reference stands in; `insecure`: also without TLS or its certificates. */
  repository(reference: string, options: { readonly insecure: boolean }): Repository
  /** Asks other servers than registries with the user's proxies and authorities. */
  readonly client: RegistryClient
  /** How documents are written down; undefined: plainly. */
  readonly codec?: DocumentCodec
}

/** A checked `--cache-from`, ready to be opened. */
export interface PreparedImport {
  readonly type: string
  /** See {@link CacheImporter.name}. */
  readonly name: string
  /** What of its attributes will have no effect. */
  readonly warnings: readonly string[]
  /** Whether cache mounts are filled from it. */
  readonly mounts: boolean
  /** Reads what it needs before the build does anything. @throws BuildError CACHE_INVALID */
  check?(): Promise<void>
  /** Asks nobody: what cannot be reached is {@link CacheImporter.load}'s to say. */
  open(services: CacheServices): Promise<CacheImporter>
}

/** A checked `--cache-to`, ready to be opened. */
export interface PreparedExport extends CompressionChoice {
  readonly type: string
  /** See {@link CacheImporter.name}. */
  readonly name: string
  readonly warnings: readonly string[]
  /** `min`: layers of the image only; `max`: those of all steps. */
  readonly mode: 'min' | 'max'
  /** Which cache mounts it carries. */
  readonly mounts: MountChoice | undefined
  /** The build succeeds where the export fails. */
  readonly ignoreError: boolean
  /** See {@link PreparedImport.check}. */
  check?(): Promise<void>
  /** undefined: the cache is written into the image (see backends/inline.ts). */
  readonly open: ((services: CacheServices) => Promise<CacheExporter>) | undefined
}

export type Env = Readonly<Record<string, string | undefined>>

/** One type of caches. */
export interface CacheBackend {
  /**
   * Both check attributes, and return undefined when the machine has nothing of the kind, so that one command works
   * within a service and outside of it.
   *
   * @throws BuildError CACHE_INVALID
   */
  readonly from: ((values: ReadonlyMap<string, string>, env: Env) => PreparedImport | undefined) | undefined
  readonly to: (values: ReadonlyMap<string, string>, env: Env) => PreparedExport | undefined
}

export interface BackendCallOptions {
  readonly signal: AbortSignal
}

export interface CacheImporter extends AsyncDisposable {
  /** For messages: `registry example.com/app:cache`. Without credentials. */
  readonly name: string
  /** Repository (`registry/repository`) whose blobs a registry can mount; undefined for others. */
  readonly repository: string | undefined
  /**
   * What is there, parsed and checked. `documents` is empty when there is nothing; `foreign` names who else wrote there.
   *
   * @throws BuildError CACHE_UNUSABLE when the place cannot be read, or what is there is no cache
   */
  load(options: BackendCallOptions): Promise<{
    readonly documents: readonly CacheDocument[]
    readonly foreign: 'buildkit' | undefined
  }>
  /**
   * The content of a layer that a document named, like {@link Source.openBlob}: never more bytes than its size, and an
   * error before its end when it is not the blob.
   */
  openBlob(
    descriptor: Descriptor,
    options: { readonly signal?: AbortSignal | undefined; readonly transient?: boolean | undefined },
  ): AsyncIterable<Buffer>
}

/** What an export came to. Sizes are bytes. */
export interface CacheExport {
  /** Blobs that had to be sent, and their size. */
  readonly sent: { readonly blobs: number; readonly size: number }
  /** Blobs that were there, or that the registry mounted from another repository. */
  readonly present: { readonly blobs: number; readonly size: number }
  /** Records that are there now, those of others included. */
  readonly records: number
}

export interface CacheExporter extends AsyncDisposable {
  /** See {@link CacheImporter.name}. */
  readonly name: string
  /**
   * Makes sure that the place has the blobs of a document, and adds the document to what is there. May be called while
   * other jobs do the same: afterwards all records are there. Blobs that are there are not asked for.
   *
   * @param open the content of a blob; only called for what the place does not have
   * @throws BuildError CACHE_NOT_EXPORTED; what was there before is as it was
   */
  save(
    document: CacheDocument,
    open: (descriptor: Descriptor) => OpenContent,
    options: BackendCallOptions & {
      /** Repositories that may have the blobs, likeliest first. */
      readonly mountFrom: readonly string[] | ((descriptor: Descriptor) => readonly string[])
      readonly onProgress: (item: string, current: number, total: number) => void
    },
  ): Promise<CacheExport>
}
