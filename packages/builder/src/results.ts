/** What the library's calls give. */
import type { Descriptor, Platform } from '@tsbuild/registry-client'
import type { BuildExplanation } from './explanation.ts'
import type { OutputSpec } from './options.ts'
import type { BuildWarning } from './progress.ts'
import type { Location } from './source.ts'

/** The end of a process. */
export interface RunImageResult {
  /** 128 + signal number when a signal ended it. */
  readonly exitCode: number
  readonly signal: string | undefined
  /** It was ended for using more memory than it may. */
  readonly oomKilled: boolean
  /** Bytes; undefined when it succeeded or nobody counted. */
  readonly peakMemory: number | undefined
}

/** A number of blobs, and how many bytes they have together. */
export interface BlobCount {
  readonly blobs: number
  readonly size: number
}

/** What a build had from one `--cache-from`. */
export interface ImportedCache {
  /** `registry example.com/app:cache` */
  readonly name: string
  /** Results of steps that it knows. */
  readonly records: number
  /** Results of it that this build used, because the store did not have them. */
  readonly hits: number
  /** Layers that had to be downloaded. */
  readonly fetched: BlobCount
  /** Cache mounts of RUN that were filled from it, by their ids, and the chunks that had to be downloaded for them. */
  readonly mounts: { readonly ids: readonly string[] } & BlobCount
  /** Why it was of no use. */
  readonly problem: string | undefined
}

/** What one `--cache-to` came to. */
export interface ExportedCache {
  /** `registry example.com/app:cache`, or `inline` */
  readonly name: string
  /** Results of steps that are there now. */
  readonly records: number
  /** Layers that had to be sent. */
  readonly sent: BlobCount
  /** Layers that were there already, or that a registry took from another of its repositories. */
  readonly present: BlobCount
  /** Cache mounts of RUN that are part of it (`mounts=true`), by their ids, and what their chunks came to. */
  readonly mounts: { readonly ids: readonly string[]; readonly sent: BlobCount; readonly present: BlobCount }
  /** Why it failed, where `ignore-error` lets the build succeed all the same. */
  readonly problem: string | undefined
}

/** What one exporter made. */
export interface OutputResult {
  readonly type: OutputSpec['type']
  /** File or directory written; undefined for a registry, the store or stdout. */
  readonly dest?: string
  /** Names pushed or stored, with their digest. */
  readonly names?: readonly string[]
}

export interface PlatformResult {
  readonly platform: Platform
  /** Descriptor of the image manifest. */
  readonly manifest: Descriptor
  readonly config: Descriptor
  readonly layers: readonly Descriptor[]
  readonly diffIDs: readonly string[]
}

export interface BuildResult {
  /** What the tags point at: the manifest of the only platform, else the index. */
  readonly descriptor: Descriptor
  readonly digest: string
  readonly platforms: readonly PlatformResult[]
  readonly outputs: readonly OutputResult[]
  readonly warnings: readonly BuildWarning[]
  /** Steps that ran and steps taken from the cache. */
  readonly steps: { readonly total: number; readonly cached: number }
  /** Why steps ran. */
  readonly explanation: BuildExplanation
  /** Shared caches, in the order in which they were named. */
  readonly cache: { readonly imported: readonly ImportedCache[]; readonly exported: readonly ExportedCache[] }
  /** As docker buildx writes with --metadata-file. */
  readonly metadata: Readonly<Record<string, unknown>>
}

/** A finding of {@link check}, as the reference's `--call=check,format=json` prints it. */
export interface CheckResult {
  readonly warnings: readonly BuildWarning[]
  /** An error of the Dockerfile that would fail the build. */
  readonly error?: {
    readonly message: string
    readonly at?: Location
    /** Further places of the same cause. */
    readonly also?: readonly Location[]
  }
  /** true when `# check=error=true` turns the warnings into a failure. */
  readonly failed: boolean
  /** The JSON document the reference prints. */
  readonly json: unknown
}

/** What {@link outline} and {@link targets} return: the JSON document the reference prints, plus its data typed. */
export interface CallResult {
  readonly json: unknown
  /** The text the reference prints by default. */
  readonly text: string
}
