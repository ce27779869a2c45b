/** Calls that answer questions about a Dockerfile without building it: check, outline, targets, and fixing it. */
export { type CheckJson, type CheckReport, checkErrorText, checkExitCode, checkReport, checkText } from './check.ts'
export { type CheckedFile, type CheckWorld, checkFile } from './check-file.ts'
export { type Fix, type FixResult, fixDockerfile } from './fix.ts'
export { type OutlineJson, type OutlineResult, outlineTarget } from './outline.ts'
export { checkSarif } from './sarif.ts'
export { listTargets, type TargetJson, type TargetsResult } from './targets.ts'
