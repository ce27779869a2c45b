/** A worker that runs processes, for the executors' contract suite. */

import { spawn } from 'node:child_process'
import { Readable } from 'node:stream'
import type { Executor, ProcessSpec, TerminalSize } from '../executor.ts'
import { type SelectOptions, selectExecutor } from '../select.ts'
import { serveWorker } from '../worker-host.ts'

export interface RunRequest {
  readonly select: SelectOptions
  readonly spec: ProcessSpec
  readonly rootfs: string
  /** Fed to the process, on a terminal after its first output; undefined: nothing. */
  readonly stdin: string | undefined
  /** The process gets a terminal of the first size; after its first output, of the second. */
  readonly terminal: readonly TerminalSize[] | undefined
  /** Output is counted instead of sent. */
  readonly count: boolean
}

let selected: Promise<{ executor: Executor; announcement: string | undefined }> | undefined

serveWorker(
  {
    describe: async (params) => {
      selected ??= selectExecutor(params as SelectOptions)
      const { executor, announcement } = await selected
      return { name: executor.name, announcement, pid: process.pid }
    },
    run: async (params, { signal, emit }) => {
      const { select, spec, rootfs, stdin, terminal, count } = params as RunRequest
      selected ??= selectExecutor(select)
      const { executor } = await selected
      const [size, later] = terminal ?? []
      let resize: ((size: TerminalSize) => void) | undefined
      const begun = Promise.withResolvers<void>()
      async function* typed(text: string): AsyncGenerator<string> {
        if (size !== undefined) await begun.promise
        yield text
      }
      let bytes = 0
      const exit = await executor.run(
        spec,
        rootfs,
        {
          stdin: stdin === undefined ? undefined : Readable.from(typed(stdin)),
          terminal: size && {
            size,
            onResize: (listener) => {
              resize = listener
            },
          },
          onOutput: (stream, chunk) => {
            begun.resolve()
            if (bytes === 0 && later !== undefined) resize?.(later)
            bytes += chunk.length
            return count ? undefined : emit({ stream, data: chunk })
          },
        },
        signal,
      )
      return { ...exit, bytes, memory: process.memoryUsage.rss() }
    },
    kill: async () => process.kill(process.pid, 'SIGKILL'),
    command: async (params) => {
      const [file, ...args] = params as string[]
      const child = spawn(file!, args, { stdio: ['ignore', 'pipe', 'inherit'] })
      let out = ''
      for await (const chunk of child.stdout) out += chunk
      return out
    },
  },
  {
    onClose: async () => {
      await (await selected)?.executor[Symbol.asyncDispose]()
    },
  },
)
