/** Builds OCI images from Dockerfiles, without a daemon. */

export { type CheckOutcome, check, outline, targets } from './build/calls.ts'
export { type OpenedImages, openImages, type StoreOptions } from './build/images.ts'
export { type IsolationReport, probeIsolation } from './build/isolation.ts'
export { diskUsage, prune } from './build/storage.ts'
export { build } from './build.ts'
export { checkErrorText, checkExitCode, checkSarif, checkText } from './calls/index.ts'
export { BuildError, type BuildErrorDetails } from './errors.ts'
export type { ImageStore } from './image/image-store.ts'
export type * from './options.ts'
export type { BuildWarning, ProgressEvent, ProgressListener, ProgressVertex } from './progress.ts'
export { excerpt, type Location, type Position, type Range, SourceFile } from './source.ts'
export type { PruneOptions, PruneResult, Usage, UsageItem } from './store/index.ts'
