/** Starts the worker's process in the best isolation from the machine that its rights allow. */
import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process'
import type { Duplex, Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { cancelled } from '../../errors.ts'
import { sandboxErrors } from '../errors.ts'
import { compileCacheFor } from './compile-cache.ts'
import { mapIds, subordinateRanges } from './id-map.ts'
import type { FromWorker } from './messages.ts'
import type { Launched, WorkerMode, WorkerOptions } from './types.ts'

const STDERR_LIMIT = 8192
/** Room for what a worker has while it loads and starts, which would be looked through for garbage several times. */
const NODE_FLAGS = ['--min-semi-space-size=16']
/** Descriptor on which a process in a fresh user namespace waits for its ids. */
const GATE = 3
/** Says that the namespace exists, waits until the ids are mapped, and only then starts what has to be root there. */
const WAIT_FOR_IDS = `echo >&${GATE}; read -r _ <&${GATE} || exit 1; exec ${GATE}<&-; exec "$@"`

/** Starts the worker; resolves when it is ready for calls. */
export async function launch(options: WorkerOptions): Promise<Launched> {
  const reasons: string[] = []
  const modes = options.mode === undefined ? await candidates(options) : [options.mode]
  for (const mode of modes) {
    try {
      return { ...(await attempt(mode, options)), mode, reasons }
    } catch (error) {
      if (options.signal?.aborted) throw cancelled([], { cause: options.signal.reason })
      reasons.push(`${mode}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  throw sandboxErrors.workerStart([reasons.join('; ')])
}

async function candidates(options: WorkerOptions): Promise<WorkerMode[]> {
  if (process.platform !== 'linux') return ['plain']
  if (process.getuid?.() === 0) return ['root', 'plain']
  return (await subordinateRanges(options.env ?? process.env)) === undefined
    ? ['single', 'plain']
    : ['subids', 'single', 'plain']
}

async function attempt(mode: WorkerMode, options: WorkerOptions): Promise<Pick<Launched, 'child' | 'errorOutput'>> {
  const environment = options.env ?? process.env
  const node = [process.execPath, ...NODE_FLAGS, fileURLToPath(options.entry), ...(options.args ?? [])]
  const gated = mode === 'subids' || mode === 'single'
  const command = gated
    ? ['unshare', '-U', '-m', '/bin/sh', '-c', WAIT_FOR_IDS, 'sh', ...node]
    : mode === 'root'
      ? ['unshare', '-m', ...node]
      : node
  const stdio: StdioOptions = ['ignore', 'ignore', 'pipe', gated ? 'pipe' : 'ignore', 'ipc']
  const { NODE_OPTIONS: _dropped, ...env } = environment
  const child = spawn(command[0]!, command.slice(1), {
    stdio,
    serialization: 'advanced',
    // Away from the terminal: Ctrl-C is for the main process, which ends the worker in order.
    detached: true,
    env: { ...env, NODE_COMPILE_CACHE: compileCacheFor(options.root) },
  })
  let errors = ''
  const stderr = child.stderr as Readable & { unref(): void }
  stderr.on('data', (chunk: Buffer) => {
    errors = (errors + chunk.toString()).slice(-STDERR_LIMIT)
  })
  const errorOutput = (): string => errors.trim()
  const kill = (): void => void child.kill('SIGKILL')
  options.signal?.addEventListener('abort', kill, { once: true })
  try {
    const failed = failure(child, errorOutput)
    if (gated) await Promise.race([openGate(child, mode, environment), failed])
    await Promise.race([ready(child), failed])
    // Only now: until then it is what keeps a caller without other work waiting.
    stderr.unref()
    return { child, errorOutput }
  } catch (error) {
    kill()
    throw error
  } finally {
    options.signal?.removeEventListener('abort', kill)
  }
}

async function openGate(
  child: ChildProcess,
  mode: 'subids' | 'single',
  env: NonNullable<WorkerOptions['env']>,
): Promise<void> {
  const gate = child.stdio[GATE] as Duplex
  gate.on('error', () => {})
  await new Promise((resolve) => gate.once('data', resolve))
  await mapIds(child.pid!, mode, env)
  gate.end('\n')
}

function ready(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    const listen = (message: FromWorker): void => {
      if (message.type !== 'ready') return
      child.off('message', listen)
      resolve()
    }
    child.on('message', listen)
  })
}

/** Never resolves; rejects with the reason when the process cannot start or ends. */
function failure(child: ChildProcess, errorOutput: () => string): Promise<never> {
  const failed = new Promise<never>((_, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) =>
      reject(new Error(errorOutput() || `ended with ${signal ?? `status ${code}`}`)),
    )
  })
  failed.catch(() => {})
  return failed
}
