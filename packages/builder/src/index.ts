/// <reference types="node" preserve="true" />
/** Builds OCI images from Dockerfiles, without a daemon. */

export { type CheckOutcome, check, outline, targets } from './build/calls.ts'
export { debug, type KeptRootfs, keptRootfs } from './build/debug.ts'
export { type Diagnosis, diagnose, type RuntimeTrial } from './build/diagnose.ts'
export { explain } from './build/explain.ts'
export { type OpenedImages, openImages } from './build/images.ts'
export { lock } from './build/lock.ts'
export type { LockResult } from './build/lock-options.ts'
export { runImage } from './build/run-image.ts'
export { type CollectOptions, collectGarbage, diskUsage, garbageCollectionDue, prune } from './build/storage.ts'
export { build } from './build.ts'
export { checkErrorText, checkExitCode, checkSarif, checkText } from './calls/index.ts'
export { BuildError, type BuildErrorDetails } from './errors.ts'
export {
  type BuildExplanation,
  causeText,
  explanationText,
  type FileChange,
  type RebuildCause,
  type StepExplanation,
} from './explanation.ts'
export type { ImageStore } from './image/image-store.ts'
export type { LockEntry } from './lockfile/index.ts'
export type { Console, Place, TmpfsVolume } from './options.ts'
export type { BuildWarning, ProgressEvent, ProgressListener, ProgressVertex } from './progress.ts'
export type {
  BlobCount,
  BuildResult,
  CallResult,
  CheckResult,
  ExportedCache,
  ImportedCache,
  OutputResult,
  PlatformResult,
  RunImageResult,
} from './results.ts'
export { excerpt, type Location, type Position, type Range, SourceFile } from './source.ts'
export type {
  CollectionSettings,
  PruneOptions,
  PruneResult,
  Space,
  SpaceLimits,
  Usage,
  UsageFilter,
  UsageItem,
  UsageType,
} from './store/index.ts'

import type * as locking from './build/lock-options.ts'
import type * as options from './options.ts'

/** Options of {@link build}. */
export type BuildOptions = options.BuildOptions<options.Place>
/** One `--cache-from` or `--cache-to`. */
export type CacheSpec = options.CacheSpec<options.Place>
/** Options of {@link debug}. */
export type DebugOptions = options.DebugOptions<options.Place>
/** Options of {@link diagnose}. */
export type DiagnoseOptions = options.DiagnoseOptions<options.Place>
/** Options of {@link check}, {@link outline} and {@link targets}. */
export type DockerfileOptions = options.DockerfileOptions<options.Place>
/** Options of {@link explain}. */
export type ExplainOptions = options.ExplainOptions<options.Place>
/** Options of {@link lock}. */
export type LockOptions = locking.LockOptions<options.Place>
/** Options of {@link openImages}. */
export type OpenOptions = options.OpenOptions<options.Place>
/** One `--output`. */
export type OutputSpec = options.OutputSpec<options.Place>
/** Options of {@link runImage}. */
export type RunImageOptions = options.RunImageOptions<options.Place>
/** A secret by id. */
export type SecretSource = options.SecretSource<options.Place>
/** An agent or keys offered to `RUN --mount=type=ssh`. */
export type SshSource = options.SshSource<options.Place>
/** Where the store is. */
export type StoreOptions = options.StoreOptions<options.Place>
/** A file or directory of this machine that a process sees. */
export type Volume = options.Volume<options.Place>
