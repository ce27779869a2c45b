/** The end of a process that the caller asked for, where failing is a result. */
import type { RunImageResult } from '../results.ts'
import type { RunOutcome } from '../steps/worker-api.ts'

export function processResult(outcome: RunOutcome): RunImageResult {
  if (outcome.status !== 'failed') return { exitCode: 0, signal: undefined, oomKilled: false, peakMemory: undefined }
  const { exitCode, signal, oomKilled = false, peakMemory } = outcome
  return { exitCode, signal, oomKilled, peakMemory }
}
