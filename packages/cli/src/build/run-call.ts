/** `--call` and `--check`: what is said about a Dockerfile in place of building it, on stdout. */
import type { BuildOptions } from '@tsbuild/builder'
import type { CommandContext } from '../command.ts'
import { isUsageError } from '../error-kind.ts'
import { EXIT } from '../exit-codes.ts'
import type { Call } from '../flags/build/draft.ts'
import type { BuildRequest } from '../flags/build/resolve.ts'
import { write } from '../io.ts'
import { renderError } from '../render-error.ts'
import { proxyArgs } from './proxy-args.ts'
import { renderCheck } from './render-check.ts'
import { sarif } from './sarif.ts'

export async function runCall(request: BuildRequest, call: Call, context: CommandContext): Promise<number> {
  const { io, signal } = context
  const options: BuildOptions = {
    ...request.options,
    buildArgs: { ...(await proxyArgs(io.env)), ...request.options.buildArgs },
    signal,
    stdin: io.stdin,
  }
  try {
    return call.kind === 'check' ? await check(options, call, context) : await describe(options, call, context)
  } catch (error) {
    if (signal.aborted || isUsageError(error)) throw error
    await write(io.stderr, await renderError(error, { debug: context.global.debug, prefix: 'failed to solve: ' }))
    return EXIT.failed
  }
}

/** Fails when there are findings, unless the call says otherwise. */
async function check(options: BuildOptions, call: Call, { io }: CommandContext): Promise<number> {
  const library = await import('@tsbuild/builder')
  const result = await library.check(options)
  if (call.format === 'json') await write(io.stdout, json(result.json))
  else if (call.format === 'sarif') await write(io.stdout, json(sarif(result)))
  else await write(io.stdout, renderCheck(result, library.excerpt))
  const clean = result.warnings.length === 0 && !result.error
  return clean || call.ignoreStatus ? EXIT.ok : EXIT.failed
}

async function describe(options: BuildOptions, call: Call, { io }: CommandContext): Promise<number> {
  const library = await import('@tsbuild/builder')
  const result = await (call.kind === 'outline' ? library.outline(options) : library.targets(options))
  await write(io.stdout, call.format === 'json' ? json(result.json) : result.text.replace(/\n?$/, '\n'))
  return EXIT.ok
}

const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`
