/** Runs a process in the worker with the caller's own input and output, which may be a terminal. */
import { randomUUID } from 'node:crypto'
import type { TerminalSize } from '../sandbox/executor.ts'
import type { Console } from '../util/console.ts'
import type { RunOutcome, RunParams, WorkerClient } from './worker-api.ts'

const USUAL_SIZE: TerminalSize = { columns: 80, rows: 24 }

/** Resolves when the process has ended. Streams are left open, the terminal as it was. */
export async function runInteractive(
  worker: WorkerClient,
  params: RunParams,
  { stdin, stdout, stderr, tty }: Console,
  signal: AbortSignal,
): Promise<RunOutcome> {
  const id = randomUUID()
  const size = (): TerminalSize => ({
    columns: stdout.columns || USUAL_SIZE.columns,
    rows: stdout.rows || USUAL_SIZE.rows,
  })
  const interaction = stdin === undefined && !tty ? undefined : { id, terminal: tty ? size() : undefined }
  const done = worker.call(
    'run',
    { ...params, interaction },
    {
      signal,
      onEvent: (event) => {
        if (event.type === 'log') (event.stream === 'stdout' ? stdout : stderr).write(event.data)
      },
    },
  )
  using _connected = interaction && connect(worker, id, { stdin, stdout, tty, size }, signal)
  return await done
}

interface Connection extends Pick<Console, 'stdin' | 'stdout' | 'tty'> {
  readonly size: () => TerminalSize
}

function connect(
  worker: WorkerClient,
  id: string,
  { stdin, stdout, tty, size }: Connection,
  signal: AbortSignal,
): Disposable {
  let open = true
  // Nobody has to hear of failures here: the worker that cannot be told has failed the run, too.
  const ignore = (): void => {}
  const onData = (data: Buffer | string): void => {
    stdin?.pause()
    const resume = (): void => {
      if (open) stdin?.resume()
    }
    worker.call('run.input', { id, data: Buffer.from(data as string) }, { signal }).then(resume, ignore)
  }
  const onEnd = (): void => {
    worker.call('run.input', { id, data: undefined }, { signal }).catch(ignore)
  }
  const onResize = (): void => {
    worker.call('run.resize', { id, size: size() }, { signal }).catch(ignore)
  }
  const raw = tty && stdin?.isTTY === true
  if (raw) stdin.setRawMode?.(true)
  if (stdin === undefined || stdin.readableEnded) onEnd()
  stdin?.on('data', onData).on('end', onEnd)
  if (tty) stdout.on('resize', onResize)
  return {
    [Symbol.dispose]() {
      open = false
      stdout.off('resize', onResize)
      stdin?.off('data', onData).off('end', onEnd)
      stdin?.pause()
      if (raw) stdin.setRawMode?.(false)
    },
  }
}
