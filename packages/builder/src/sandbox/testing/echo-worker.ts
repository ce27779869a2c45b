/** A worker for the worker's own tests. */

import { spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { BuildError } from '../../errors.ts'
import { serveWorker } from '../worker-host.ts'

const text = (data: unknown): string => (data as { text: string }).text

/** Made when this worker has tidied up, which takes it a while. */
let mark: string | undefined

serveWorker(
  {
    mark: async (params: unknown) => {
      mark = text(params)
    },
    echo: async (params: unknown) => params,
    identity: async () => ({
      uid: process.getuid?.(),
      uidMap: readFileSync('/proc/self/uid_map', 'utf8'),
      status: readFileSync('/proc/self/status', 'utf8'),
      mountNamespace: (await import('node:fs')).readlinkSync('/proc/self/ns/mnt'),
    }),
    count: async (params: unknown, { emit }) => {
      for (let i = 0; i < (params as { to: number }).to; i++) await emit({ i, data: Buffer.alloc(65536, i) })
      return 'done'
    },
    fail: async () => {
      throw new BuildError('SOME_CODE', 'it went wrong', {
        hint: 'try again',
        exitCode: 3,
        logTail: ['a', 'b'],
        cause: new Error('deep', { cause: new Error('deeper') }),
      })
    },
    crash: async (params: unknown) => {
      throw new TypeError(text(params))
    },
    wait: async (_params: unknown, { signal }) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true })),
    spin: async () => {
      // Long enough to be seen; work that blocks the event loop for ever would be a bug of its own.
      for (const end = Date.now() + 1500; Date.now() < end; );
    },
    exit: async () => process.exit(7),
    child: async () => spawn('sleep', ['300'], { stdio: 'ignore' }).pid,
  },
  {
    onClose: async () => {
      if (mark === undefined) return
      await new Promise((resolve) => setTimeout(resolve, 300))
      writeFileSync(mark, '', { flag: 'wx' })
    },
  },
)
