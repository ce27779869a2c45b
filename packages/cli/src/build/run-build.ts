/** Runs a build: options in, progress on stderr, results on stdout and in files. */
import type { BuildOptions, BuildResult, BuildWarning } from '@tsbuild/builder'
import type { CommandContext } from '../command.ts'
import { CommandError } from '../command-error.ts'
import { isUsageError } from '../error-kind.ts'
import { EXIT } from '../exit-codes.ts'
import type { BuildRequest } from '../flags/build/resolve.ts'
import { write } from '../io.ts'
import { startProgress } from '../progress/index.ts'
import { renderError } from '../render-error.ts'
import { renderSummary } from '../render-summary.ts'
import { renderWarnings } from '../render-warnings.ts'
import { UsageError } from '../usage-error.ts'
import { collectLater } from './collect-later.ts'
import { findLoader, type LoadSink, openLoad } from './load-image.ts'
import { proxyArgs } from './proxy-args.ts'
import { checkResultFile, imageId, metadataText, replaceFile } from './result-files.ts'

export async function runBuild(request: BuildRequest, context: CommandContext): Promise<number> {
  const { io, signal } = context
  checkStreams(request, context)
  await checkResultFile('iidfile', request.iidfile)
  await checkResultFile('metadata-file', request.metadataFile)
  for (const notice of request.notices) await write(io.stderr, `WARNING: ${notice}\n`)
  const sink = request.stream === 'load' ? openLoad(await findLoader(signal), signal) : undefined
  const warnings: BuildWarning[] = []
  const started = Date.now()
  try {
    const result = await buildWithProgress(request, context, sink, warnings)
    const loaded = await sink?.finish()
    await deliver(request, context, result, Date.now() - started, loaded)
    return EXIT.ok
  } catch (error) {
    if (signal.aborted || (await isUsageError(error))) throw error
    if (request.progress !== 'rawjson') await write(io.stderr, renderWarnings(warnings))
    const prefix = error instanceof CommandError ? '' : 'failed to solve: '
    await write(io.stderr, await renderError(error, { debug: context.global.debug, prefix }))
    return EXIT.failed
  } finally {
    await collectLater(context)
  }
}

async function buildWithProgress(
  request: BuildRequest,
  { io, signal }: CommandContext,
  sink: LoadSink | undefined,
  warnings: BuildWarning[],
): Promise<BuildResult> {
  const { build } = await import('@tsbuild/builder')
  using display = startProgress(request.progress, io.stderr, io.env)
  const options: BuildOptions = {
    ...request.options,
    buildArgs: { ...(await proxyArgs(io.env)), ...request.options.buildArgs },
    signal,
    stdin: io.stdin,
    stdout: sink?.stream ?? io.stdout,
    openConsole: async (failure) => {
      // The terminal belongs to the shell from now on.
      display[Symbol.dispose]()
      await write(io.stderr, await renderError(failure, { debug: false }))
      await write(io.stderr, 'A shell where it failed; what you change is thrown away when it ends.\n')
      return { stdin: io.stdin, stdout: io.stderr, stderr: io.stderr }
    },
    onProgress: (event) => {
      if (event.type === 'warning') warnings.push(event.warning)
      display.listener(event)
    },
  }
  return await build(options)
}

/** Prints and writes what the build came to. Files first: who reads stdout may rely on them. */
async function deliver(
  request: BuildRequest,
  { io, global }: CommandContext,
  result: BuildResult,
  ms: number,
  loaded: string | undefined,
): Promise<void> {
  if (request.iidfile) await replaceFile(request.iidfile, imageId(result))
  if (request.metadataFile) await replaceFile(request.metadataFile, metadataText(result, io.env))
  if (request.quiet) await write(io.stdout, `${imageId(result)}\n`)
  if (request.progress === 'quiet' || request.progress === 'rawjson') return
  const excerpt = global.debug ? (await import('@tsbuild/builder')).excerpt : undefined
  await write(io.stderr, renderWarnings(result.warnings, excerpt))
  await write(io.stderr, renderSummary(result, ms, request.stream === 'load' ? 'loaded' : undefined))
  if (loaded) await write(io.stderr, `${loaded}\n`)
}

/** A terminal is no place for an archive, nor one that a context comes from; a shell needs one. */
function checkStreams(request: BuildRequest, { io }: CommandContext): void {
  if (request.options.onError === 'shell' && !(io.stdin.isTTY && io.stderr.isTTY)) {
    throw new UsageError(
      '--on-error shell needs a terminal',
      'with --on-error keep, tsbuild debug can open a shell later',
    )
  }
  if (request.stream === 'stdout' && io.stdout.isTTY) {
    throw new UsageError(
      'refusing to write an archive to the terminal',
      'redirect stdout, or name a file with dest=FILE',
    )
  }
  if ((request.options.context === '-' || request.options.dockerfile === '-') && io.stdin.isTTY) {
    throw new UsageError('stdin is a terminal', 'pipe a Dockerfile or a tar archive into the command')
  }
}
