/** `--load`: hands the image to a docker or podman on this machine through its own command. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { Writable } from 'node:stream'
import { CommandError } from '../command-error.ts'
import { escapeControls } from '../progress/escape.ts'

export interface Loader {
  readonly name: 'docker' | 'podman'
  readonly probe: readonly string[]
}

const LOADERS: readonly Loader[] = [
  { name: 'docker', probe: ['version', '--format', '{{.Server.Version}}'] },
  { name: 'podman', probe: ['info', '--format', '{{.Host.OS}}'] },
]

/** How long (ms) a tool may take to say that it is there. */
const PROBE_TIMEOUT = 15_000
const MAX_OUTPUT = 16 * 1024

/**
 * The tool that can load an image now.
 *
 * @throws CommandError that says of each one why it cannot
 */
export async function findLoader(signal: AbortSignal): Promise<Loader> {
  const reasons: string[] = []
  for (const loader of LOADERS) {
    const reason = await probe(loader, signal)
    if (reason === undefined) return loader
    reasons.push(`${loader.name}: ${reason}`)
  }
  throw new CommandError(
    `--load needs a running docker or podman (${reasons.join('; ')})`,
    'write an archive with -o type=docker,dest=image.tar, or leave the image in the local store',
  )
}

/** @returns why the tool cannot be used, undefined when it can */
async function probe(loader: Loader, signal: AbortSignal): Promise<string | undefined> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(PROBE_TIMEOUT)])
  const child = spawn(loader.name, loader.probe, { stdio: ['ignore', 'pipe', 'pipe'], signal: limit })
  try {
    const { code, output } = await finished(child)
    return code === 0 ? undefined : lastLine(output) || `exit code ${code}`
  } catch (error) {
    signal.throwIfAborted()
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 'not installed'
    return limit.aborted ? `no answer within ${PROBE_TIMEOUT / 1000} s` : (error as Error).message
  }
}

/** The stream that an archive is written to, and the end of the tool that reads it. */
export interface LoadSink {
  readonly stream: Writable
  /** Resolves to what the tool printed once it has loaded the image. @throws CommandError when it could not */
  finish(): Promise<string>
}

/** Opens the way into a tool. The tool is started by the first bytes, so a failed build never starts it. */
export function openLoad(loader: Loader, signal: AbortSignal): LoadSink {
  let child: ChildProcess | undefined
  let end: Promise<{ code: number; output: string }> | undefined
  const start = (): Writable => {
    if (!child) {
      child = spawn(loader.name, ['load'], { stdio: ['pipe', 'pipe', 'pipe'], signal })
      // The exit code tells more than EPIPE does.
      child.stdin!.on('error', () => {})
      end = finished(child)
      end.catch(() => {})
    }
    return child.stdin!
  }
  const stream = new Writable({
    write(chunk, _encoding, callback) {
      // Also when the tool reads no more: its exit code will tell why.
      start().write(chunk, () => callback())
    },
    final(callback) {
      start().end(() => callback())
    },
    destroy(error, callback) {
      if (error) child?.kill()
      callback(error)
    },
  })
  return {
    stream,
    async finish() {
      start().end()
      const { code, output } = await end!
      if (code !== 0) throw new CommandError(`${loader.name} load failed: ${lastLine(output) || `exit code ${code}`}`)
      return output.split('\n').map(escapeControls).join('\n').trim()
    },
  }
}

async function finished(child: ChildProcess): Promise<{ code: number; output: string }> {
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(-MAX_OUTPUT)
    })
  }
  const [code] = (await once(child, 'close')) as [number | null]
  return { code: code ?? 1, output }
}

function lastLine(output: string): string {
  return escapeControls(output.trim().split('\n').at(-1) ?? '')
}
