/**
 * The library's only output beside its result: plain events, in the order in which things happen.
 * Renderers are pure functions of these events. Times are milliseconds since the epoch.
 */
import type { RebuildCause } from './explanation.ts'
import type { Location } from './source.ts'

/** A unit of work that is shown as one line: a step of the graph, a pull, an export. */
export interface ProgressVertex {
  /** Unique within one build. */
  readonly id: string
  /** As the reference names it: `[base 2/3] RUN make`, `[internal] load build definition from Dockerfile`. */
  readonly name: string
  /** Tells it apart from all others; the same in every build for a step that is the same. */
  readonly digest?: string
  /** The digests of what it is made from. */
  readonly inputs?: readonly string[]
}

/** A warning of a lint rule or of the builder itself. */
export interface BuildWarning {
  /** Rule name such as `StageNameCasing`; '' for a warning of the builder itself. */
  readonly rule: string
  readonly message: string
  readonly description?: string
  readonly url?: string
  readonly at?: Location
}

export type ProgressEvent =
  | { readonly type: 'started'; readonly vertex: ProgressVertex; readonly time: number }
  | {
      readonly type: 'log'
      readonly id: string
      readonly stream: 'stdout' | 'stderr'
      readonly data: Buffer
      readonly time: number
    }
  /** How far a transfer or a compression is; `total` is 0 while unknown. Bytes, unless `unit` says otherwise. */
  | {
      readonly type: 'progress'
      readonly id: string
      readonly item: string
      readonly current: number
      readonly total: number
      readonly unit?: 'files'
      readonly time: number
    }
  /** The result came from the cache: follows `started`, takes the place of `done`. */
  | { readonly type: 'cached'; readonly id: string; readonly time: number }
  /** Why a step is not taken from the cache, where the build was asked to say so; after `started`. */
  | {
      readonly type: 'explained'
      readonly id: string
      readonly cause: RebuildCause
      readonly text: string
      readonly time: number
    }
  | { readonly type: 'done'; readonly id: string; readonly time: number }
  | { readonly type: 'failed'; readonly id: string; readonly message: string; readonly time: number }
  /** The step was given up because another one failed or the build was cancelled. */
  | { readonly type: 'canceled'; readonly id: string; readonly time: number }
  | { readonly type: 'warning'; readonly id?: string; readonly warning: BuildWarning; readonly time: number }

/** Receives events synchronously; must not throw. */
export type ProgressListener = (event: ProgressEvent) => void
