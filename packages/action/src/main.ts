/** The action: inputs in, a build, outputs, annotations and a summary out. */
import { relative, resolve } from 'node:path'
import { type BuildOptions, type BuildResult, build } from '@tsbuild/builder'
import {
  type BuildRequest,
  findLoader,
  type Io,
  imageId,
  metadataText,
  openLoad,
  proxyArgs,
  renderSummary,
  startProgress,
} from '../../cli/src/embed.ts'
import { annotate } from './annotate.ts'
import { runCalled } from './call.ts'
import { reportFailure } from './failure.ts'
import { type ActionRequest, readInputs } from './inputs.ts'
import type { Runner } from './runner.ts'
import { buildSummary } from './summary.ts'

/** Runs the action and returns its exit code. */
export async function runAction(runner: Runner, io: Io, signal: AbortSignal): Promise<number> {
  let annotated: string | undefined
  try {
    runner.saveState('built', 'true')
    const request = readInputs(runner, io.cwd)
    annotated = inWorkspace(request, io)
    for (const notice of request.build.notices) runner.notice(notice)
    if (request.build.call) return await runCalled(request.build, request.build.call, { runner, io, signal, annotated })
    const started = Date.now()
    const result = await buildQuoted(request.build, runner, io, signal)
    annotate(runner, result.warnings, annotated)
    deliver(runner, result, Date.now() - started)
    return 0
  } catch (error) {
    await reportFailure(runner, error, annotated)
    return 1
  }
}

/** Builds; nothing that a RUN prints is taken for a command meanwhile. */
async function buildQuoted(request: BuildRequest, runner: Runner, io: Io, signal: AbortSignal): Promise<BuildResult> {
  using _ = runner.quoteCommands()
  const sink = request.stream === 'load' ? openLoad(await findLoader(signal), signal) : undefined
  const started = Date.now()
  const result = await buildWithProgress(
    {
      ...request.options,
      buildArgs: { ...(await proxyArgs(io.env)), ...request.options.buildArgs },
      signal,
      ...(sink ? { stdout: sink.stream } : {}),
    },
    io,
  )
  const loaded = await sink?.finish()
  runner.log(renderSummary(result, Date.now() - started, 'loaded'))
  if (loaded) runner.log(`${loaded}\n`)
  return result
}

async function buildWithProgress(options: BuildOptions, io: Io): Promise<BuildResult> {
  using display = startProgress('plain', io.stdout, io.env)
  return await build({ ...options, onProgress: display.listener })
}

function deliver(runner: Runner, result: BuildResult, ms: number): void {
  const { total, cached } = result.steps
  runner.setOutput('imageid', imageId(result))
  runner.setOutput('digest', result.digest)
  runner.setOutput('metadata', metadataText(result, runner.env).trimEnd())
  runner.setOutput('changed', String(cached < total))
  if (!/^(0|f|false)$/i.test(runner.env.DOCKER_BUILD_SUMMARY ?? '')) runner.summarize(buildSummary(result, ms))
}

/** Annotations name files from the root of the workspace; what lies elsewhere has none. */
function inWorkspace({ annotated, build: { options } }: ActionRequest, io: Io): string | undefined {
  if (annotated === undefined) return undefined
  const path = relative(io.env.GITHUB_WORKSPACE || io.cwd, resolve(String(options.cwd), annotated))
  return path.startsWith('..') ? undefined : path
}
