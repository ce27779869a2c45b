/**
 * What the action uses of the command: the meaning of flags, progress, messages. One entry, so that all the rest of the
 * command may change at will.
 */
export { findLoader, type LoadSink, openLoad } from './build/load-image.ts'
export { proxyArgs } from './build/proxy-args.ts'
export { imageId, metadataText } from './build/result-files.ts'
export { runCall } from './build/run-call.ts'
export { BUILD_FLAGS, draftBuild } from './flags/build/index.ts'
export { type BuildRequest, resolveBuild } from './flags/build/resolve.ts'
export { keyValue } from './flags/csv.ts'
export { suggest } from './flags/suggest.ts'
export type { Environment, Io } from './io.ts'
export { write } from './io.ts'
export { escapeControls, escapeText } from './progress/escape.ts'
export { formatBytes, formatSeconds } from './progress/format.ts'
export { startProgress } from './progress/index.ts'
export { renderError } from './render-error.ts'
export { renderSummary } from './render-summary.ts'
export { trapSignals } from './signals.ts'
export { UsageError } from './usage-error.ts'
