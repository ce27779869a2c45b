/** Ways to start the contract suite's worker: as root, and as users that exist only for the test. */
import { spawn } from 'node:child_process'
import fs from 'node:fs'
import { join } from 'node:path'
import type { FromWorker } from '../worker/messages.ts'
import { unpackError } from '../worker/messages.ts'
import { startWorker, type WorkerMode } from '../worker.ts'

/** Calls of executor-worker.ts, however it was started. */
export interface Driver extends AsyncDisposable {
  call(
    operation: string,
    params: unknown,
    options?: { signal?: AbortSignal; onEvent?: (event: unknown) => void },
  ): Promise<unknown>
}

/** A uid that no account of a test machine has. */
export const testUid = 61_777

/** As the user who runs the tests. */
export async function ownDriver(root: string, mode?: WorkerMode): Promise<Driver> {
  return await startWorker({ entry: new URL('./executor-worker.ts', import.meta.url), root, mode })
}

/** As an ordinary user, started by root; `subids` gives it a range of ids that only its own mount namespace knows. */
export async function userDriver(root: string, mode: 'subids' | 'single'): Promise<Driver> {
  // Seen in the test's own mount namespace only: newuidmap wants an account with a range.
  const accounts = {
    passwd: `${fs.readFileSync('/etc/passwd', 'utf8')}\ntsbuild-test:x:${testUid}:${testUid}::/:/bin/sh\n`,
    ...(mode === 'subids' ? { subuid: `${testUid}:3000000:65536\n`, subgid: `${testUid}:3000000:65536\n` } : {}),
  }
  const etc = join(root, 'etc')
  fs.mkdirSync(etc)
  for (const [name, text] of Object.entries(accounts)) fs.writeFileSync(join(etc, name), text, { mode: 0o644 })
  // Over the whole directory: a mount on a file is lost when another process replaces that file meanwhile.
  const cover = `mount -t overlay overlay -o lowerdir=${etc}:/etc /etc && `
  const entry = new URL('./user-driver.ts', import.meta.url).pathname
  const become = `exec setpriv --reuid=${testUid} --regid=${testUid} --clear-groups "$@"`
  return driverOf('unshare', ['-m', 'sh', '-c', `${cover}${become}`, 'sh', process.execPath, entry, root, mode], root)
}

/** As root who may not mount, as in an ordinary container. */
export async function plainDriver(root: string): Promise<Driver> {
  const entry = new URL('./user-driver.ts', import.meta.url).pathname
  return driverOf('setpriv', ['--bounding-set', '-sys_admin', process.execPath, entry, root, 'plain'], root)
}

function driverOf(file: string, args: readonly string[], home: string): Driver {
  const child = spawn(file, args, {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    serialization: 'advanced',
    cwd: '/',
    env: { PATH: process.env.PATH, HOME: home },
  })
  const pending = new Map<
    number,
    { resolve(value: unknown): void; reject(error: Error): void; onEvent?: ((event: unknown) => void) | undefined }
  >()
  const ended = new Promise<void>((resolve) =>
    child.once('exit', (code) => {
      for (const { reject } of pending.values()) reject(new Error(`the driver ended with ${code}`))
      resolve()
    }),
  )
  child.on('message', (message: FromWorker) => {
    if (message.type === 'ready') return
    const call = pending.get(message.id)
    if (message.type === 'event') return call?.onEvent?.(message.event)
    pending.delete(message.id)
    if (message.type === 'result') call?.resolve(message.value)
    else call?.reject(unpackError(message.error))
  })
  let next = 1
  return {
    call: (operation, params, options = {}) =>
      new Promise((resolve, reject) => {
        const id = next++
        pending.set(id, { resolve, reject, onEvent: options.onEvent })
        child.send({ type: 'call', id, operation, params })
        options.signal?.addEventListener('abort', () => child.send({ type: 'abort', id }), { once: true })
      }),
    async [Symbol.asyncDispose]() {
      if (child.connected) child.send({ type: 'close' })
      await ended
    },
  }
}
