/** What becomes of the root filesystem of a RUN that failed: its files are saved, a shell is opened in it, it is kept. */
import { setImmediate } from 'node:timers/promises'
import { locate } from '../dockerfile/ast.ts'
import { BuildError } from '../errors.ts'
import type { FailureOutput } from '../export/failed-files.ts'
import { writeFiles } from '../export/files.ts'
import type { ParsedDockerfile } from '../instructions/nodes.ts'
import { runInteractive } from '../steps/interactive.ts'
import type { FailedRun, FailureHandler } from '../steps/run-step.ts'
import type { LazyWorker } from '../steps/worker-client.ts'
import { callbackFailure } from './callback.ts'
import { afterwards, keepRun } from './kept.ts'
import { warnOfLeftOut } from './left-out.ts'
import type { Session } from './session.ts'
import { type BuildSettings, optionErrors } from './settings.ts'

export interface FailureServices {
  readonly parsed: ParsedDockerfile
  readonly settings: BuildSettings
  readonly session: Session
  readonly worker: LazyWorker
}

/** undefined when nothing was asked for. @throws BuildError OPTION_INVALID for a stage that does not exist */
export function failureHandler(services: FailureServices): FailureHandler | undefined {
  const { settings, parsed } = services
  const { failureOutput } = settings
  const { onError = 'fail' } = settings.options
  if (failureOutput?.stage !== undefined && stageIndex(parsed, failureOutput.stage) < 0)
    throw optionErrors.optionInvalid([`--output-on-failure: there is no stage ${failureOutput.stage}`])
  if (onError === 'fail' && failureOutput === undefined) return undefined
  let first: Promise<BuildError> | undefined
  return async (failed) => {
    if (first === undefined) {
      first = handle(failed, services)
      return await first
    }
    // The build ends with the first failure: this one is over once that one has been looked after.
    await discard(failed, services)
    await first
    await setImmediate()
    return failed.error
  }
}

async function handle(failed: FailedRun, services: FailureServices): Promise<BuildError> {
  const { session, settings } = services
  const { onError } = settings.options
  const output = settings.failureOutput
  try {
    if (output !== undefined && concerns(output, failed, services.parsed)) await save(output, failed, services)
    if (onError === 'shell') await openShell(failed, services)
  } finally {
    if (onError !== 'keep') await discard(failed, services)
  }
  if (onError !== 'keep') return failed.error
  const name = await keepRun(session.store.records, failed)
  const root = settings.options.root === undefined ? '' : ` --root ${settings.options.root}`
  return withHint(failed.error, `look at what it left with: tsbuild debug${root} ${name}`)
}

function withHint(error: BuildError, hint: string): BuildError {
  const { code, message, cause, ...details } = error
  return new BuildError(code, message, {
    ...details,
    cause,
    hint: error.hint === undefined ? hint : `${error.hint}; ${hint}`,
  })
}

function concerns({ stage }: FailureOutput, { step }: FailedRun, parsed: ParsedDockerfile): boolean {
  if (stage === undefined) return true
  // Triggers of a base image stand where the FROM does that named it.
  const line = step.at?.range.start.line ?? 0
  const own = parsed.stages.findLastIndex(({ from }) => locate(parsed.dockerfile, from.raw).range.start.line <= line)
  return own === stageIndex(parsed, stage)
}

/** A stage by name or number; -1 when there is none. */
function stageIndex({ stages }: ParsedDockerfile, name: string): number {
  const index = stages.findLastIndex(({ from }) => from.stageName === name.toLowerCase())
  return index >= 0 || !/^\d+$/.test(name) ? index : Number(name) < stages.length ? Number(name) : -1
}

/** Saves the files. That it fails is no reason to hide why the RUN did. */
async function save(output: FailureOutput, failed: FailedRun, { session, settings, worker }: FailureServices) {
  const { signal, store } = session
  const part = {
    stack: [...failed.params.stack, failed.kept],
    source: output.source,
    directory: '',
    name: '',
    time: undefined,
  }
  try {
    await session.task('exporting the files of the failed step', () =>
      writeFiles(
        output,
        async (dest, format) => {
          const operation = format === 'tar' ? 'rootfs.tar' : 'rootfs.copy'
          warnOfLeftOut(await worker.call(operation, { parts: [part], dest }, { signal }), session)
        },
        { store, stdout: settings.options.stdout, signal },
      ),
    )
  } catch (error) {
    if (signal.aborted) throw error
    session.warn({ rule: '', message: `the files of the failed step could not be saved: ${(error as Error).message}` })
  }
}

/** A shell where the process was: with its variables, directory, user and mounts. What it changes is thrown away. */
async function openShell(failed: FailedRun, { session, settings, worker }: FailureServices): Promise<void> {
  const { params, kept, error } = failed
  const open = async () => await settings.options.openConsole!(error)
  const console = await open().catch((cause: unknown) => Promise.reject(callbackFailure('openConsole', cause)))
  try {
    const shell = { ...afterwards(params, kept), args: [shellOf(params.args)], script: undefined, scanFor: [] }
    await runInteractive(worker, shell, { ...console, tty: true }, session.signal)
  } catch (problem) {
    if (session.signal.aborted) throw problem
    session.warn({ rule: '', message: `no shell could be opened: ${(problem as Error).message}` })
  }
}

/** The shell that a process was run by, else the usual one. */
export function shellOf(args: readonly string[]): string {
  return /(^|\/)(ba|a|da|z|k)?sh$/.test(args[0] ?? '') ? args[0]! : '/bin/sh'
}

async function discard({ kept }: FailedRun, { worker }: FailureServices): Promise<void> {
  // Also when the build was aborted. Prune finds what cannot be removed now.
  const { signal } = new AbortController()
  await worker.call('snapshot.remove', { ids: [kept] }, { signal }).catch(() => undefined)
}
