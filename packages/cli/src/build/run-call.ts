/** `--call` and `--check`: what is said about a Dockerfile in place of building it, on stdout. */
import type { BuildOptions, CheckOutcome } from '@tsbuild/builder'
import type { CommandContext } from '../command.ts'
import { isUsageError } from '../error-kind.ts'
import { EXIT } from '../exit-codes.ts'
import type { Call } from '../flags/build/draft.ts'
import type { BuildRequest } from '../flags/build/resolve.ts'
import { write } from '../io.ts'
import { escapeText } from '../progress/escape.ts'
import { renderError } from '../render-error.ts'
import { VERSION } from '../version.ts'
import { applyFix } from './apply-fix.ts'
import { describeCalls } from './describe-calls.ts'
import { proxyArgs } from './proxy-args.ts'

export async function runCall(request: BuildRequest, call: Call, context: CommandContext): Promise<number> {
  const { io, signal } = context
  for (const notice of request.notices) await write(io.stderr, `WARNING: ${notice}\n`)
  if (call.kind === 'describe') {
    await write(io.stdout, describeCalls(call.format === 'json' ? 'json' : 'text'))
    return EXIT.ok
  }
  const options: BuildOptions = {
    ...request.options,
    buildArgs: { ...(await proxyArgs(io.env)), ...request.options.buildArgs },
    signal,
    stdin: io.stdin,
  }
  try {
    if (call.kind !== 'check') return await describe(options, call, context)
    return await check(options, call, request.fix, context)
  } catch (error) {
    if (signal.aborted || (await isUsageError(error))) throw error
    await write(io.stderr, await renderError(error, { debug: context.global.debug, prefix: 'failed to solve: ' }))
    return EXIT.failed
  }
}

/** Fails when there are findings that were not fixed, unless the call says otherwise. */
async function check(options: BuildOptions, call: Call, fix: boolean, context: CommandContext): Promise<number> {
  const library = await import('@tsbuild/builder')
  const found = await library.check(options)
  const result = fix && (await applyFix(found, options, context)) ? await library.check(options) : found
  await show(result, call, context)
  return call.ignoreStatus ? EXIT.ok : library.checkExitCode(result)
}

async function show(result: CheckOutcome, call: Call, { io }: CommandContext): Promise<void> {
  const { checkErrorText, checkSarif, checkText } = await import('@tsbuild/builder')
  if (call.format === 'json') return write(io.stdout, json(result.json))
  if (call.format === 'sarif') return write(io.stdout, json(checkSarif(result, VERSION)))
  await write(io.stdout, escapeText(checkText(result)))
  const problem = checkErrorText(result)
  if (problem !== '') await write(io.stderr, `ERROR: ${escapeText(problem)}`)
}

async function describe(options: BuildOptions, call: Call, { io }: CommandContext): Promise<number> {
  const library = await import('@tsbuild/builder')
  const result = await (call.kind === 'outline' ? library.outline(options) : library.targets(options))
  const text = call.format === 'json' ? json(result.json) : escapeText(result.text.replace(/\n?$/, '\n'))
  await write(io.stdout, text)
  return EXIT.ok
}

const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`
