/** Runs a build as kaniko's executor does: logs, exit codes and files are like its own. */
import { open } from 'node:fs/promises'
import { getSystemErrorMessage } from 'node:util'
import { collectLater } from '../build/collect-later.ts'
import type { CommandContext } from '../command.ts'
import { buildErrorOf } from '../error-kind.ts'
import { EXIT } from '../exit-codes.ts'
import { write } from '../io.ts'
import { renderError } from '../render-error.ts'
import { UsageError } from '../usage-error.ts'
import { KanikoLog, kanikoProgress } from './log.ts'
import type { KanikoRequest } from './request.ts'
import { writeResultFiles } from './result-files.ts'

export async function runKaniko(request: KanikoRequest, context: CommandContext): Promise<number> {
  const { io, signal } = context
  const log = new KanikoLog(request.log, io.stderr)
  for (const note of request.notes) log.say('debug', note)
  const { root } = request.options
  try {
    await using archive = request.archive === undefined ? undefined : await openArchive(request.archive)
    const { build } = await import('@tsbuild/builder')
    const result = await build({
      ...request.options,
      signal,
      stdin: archive === undefined ? io.stdin : archive.createReadStream({ autoClose: false }),
      stdout: io.stdout,
      onProgress: kanikoProgress(log, io),
    })
    await writeResultFiles(request, result, io.env)
    for (const { names = [] } of result.outputs.filter(({ type }) => type === 'registry'))
      for (const name of names) log.say('info', `Pushed ${name}`)
    if (!request.push) log.say('info', 'Skipping push to container registry due to --no-push flag')
    return EXIT.ok
  } catch (error) {
    if (signal.aborted) throw error
    const prefix = 'error building image: '
    await write(io.stderr, await renderError(error, { debug: context.global.debug, prefix }))
    return (await buildErrorOf(error))?.exitCode || EXIT.failed
  } finally {
    await collectLater(root === undefined ? context : { ...context, global: { ...context.global, root: String(root) } })
  }
}

async function openArchive(path: string) {
  try {
    return await open(path)
  } catch (error) {
    const { errno, message } = error as NodeJS.ErrnoException
    throw new UsageError(`--context tar://${path}: ${errno === undefined ? message : getSystemErrorMessage(errno)}`)
  }
}
