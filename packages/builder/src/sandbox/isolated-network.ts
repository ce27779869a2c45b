/** Outbound network for a network namespace, through pasta or slirp4netns: the machine's loopback stays out of reach. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import os from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { sandboxErrors } from './errors.ts'
import { detach, MS, mount } from './native/mount.ts'

/** Programs that can do it, in order of preference, as `name → path`. */
export interface NetworkHelpers {
  readonly pasta: string | undefined
  readonly slirp4netns: string | undefined
}

const READY_MS = 10_000

/**
 * Connects the network namespace of a process to the outside. Disposing ends the helper.
 *
 * @throws ISOLATION_UNAVAILABLE without a helper, or with its words when it fails
 */
export async function attachNetwork(pid: number, helpers: NetworkHelpers): Promise<AsyncDisposable> {
  const { pasta, slirp4netns } = helpers
  const directory = await mkdtemp(join(os.tmpdir(), 'tsbuild-net-'))
  const ready = join(directory, 'ready')
  // Under a name of its own: a helper that has given up its privileges may not look into the process's /proc.
  const namespace = join(directory, 'net')
  await writeFile(namespace, '')
  mount(`/proc/${pid}/ns/net`, namespace, null, MS.BIND)
  const ports = ['-t', 'none', '-u', 'none', '-T', 'none', '-U', 'none']
  try {
    if (pasta !== undefined) {
      const options = [
        '--foreground',
        '--quiet',
        '--config-net',
        '--no-map-gw',
        ...ports,
        '--runas',
        '0:0',
        '--netns-only',
      ]
      return await startHelper(pasta, [...options, '--pid', ready, '--netns', namespace], ready, directory)
    }
    if (slirp4netns !== undefined) {
      const script = `exec 3>"$1"; shift; exec "$@"`
      const options = ['--configure', '--mtu=65520', '--disable-host-loopback', '--ready-fd=3', '--netns-type=path']
      return await startHelper(
        'sh',
        ['-c', script, 'sh', ready, slirp4netns, ...options, namespace, 'tap0'],
        ready,
        directory,
      )
    }
    throw sandboxErrors.isolationUnavailable(['network isolated needs pasta or slirp4netns, and neither is installed'])
  } catch (error) {
    await removeDirectory(directory)
    throw error
  }
}

async function removeDirectory(directory: string): Promise<void> {
  detach(join(directory, 'net'))
  await rm(directory, { recursive: true, force: true })
}

/** Starts a helper that writes into the file `ready` when it is. */
async function startHelper(
  file: string,
  args: readonly string[],
  ready: string,
  directory: string,
): Promise<AsyncDisposable> {
  const child = spawn(file, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  let errors = ''
  child.stderr.on('data', (chunk: Buffer) => {
    errors = (errors + chunk.toString()).slice(-2000)
  })
  const ended = new Promise<void>((resolve) => {
    child.once('error', (error) => {
      errors = error.message
      resolve()
    })
    child.once('exit', () => resolve())
  })
  for (const end = Date.now() + READY_MS; ; await Promise.race([setTimeout(5), ended])) {
    if (await isWritten(ready)) break
    if (!isRunning(child) || Date.now() > end) {
      child.kill('SIGKILL')
      const why = errors.trim().split('\n').at(-1) || 'it does not get ready'
      throw sandboxErrors.isolationUnavailable([`network isolated: ${file}: ${why}`])
    }
  }
  return {
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await ended
      await removeDirectory(directory)
    },
  }
}

function isRunning(child: ChildProcess): boolean {
  return child.pid !== undefined && child.exitCode === null && child.signalCode === null
}

async function isWritten(path: string): Promise<boolean> {
  return await stat(path).then(
    ({ size }) => size > 0,
    () => false,
  )
}
