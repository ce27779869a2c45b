/** Keyboards of processes that run in the worker: what the main process sends them while they run. */
import { PassThrough } from 'node:stream'
import type { ProcessIO, TerminalSize } from '../sandbox/executor.ts'
import type { Interaction } from './worker-api.ts'

interface Connected {
  readonly input: PassThrough
  resize: ((size: TerminalSize) => void) | undefined
}

export class InputTable {
  readonly #connected = new Map<string, Connected>()

  /** What a process reads from; disposed when it has ended. Must be called before the first `write` for it. */
  connect({ id, terminal }: Interaction): Pick<ProcessIO, 'stdin' | 'terminal'> & Disposable {
    const connected: Connected = { input: new PassThrough(), resize: undefined }
    this.#connected.set(id, connected)
    return {
      stdin: connected.input,
      terminal: terminal && {
        size: terminal,
        onResize: (listener) => {
          connected.resize = listener
        },
      },
      [Symbol.dispose]: () => {
        this.#connected.delete(id)
        connected.input.destroy()
      },
    }
  }

  /** Passes input on, undefined at its end; resolves when there is room for more. Nobody reads what comes too late. */
  async write(id: string, data: Uint8Array | undefined): Promise<void> {
    const input = this.#connected.get(id)?.input
    if (input === undefined) return
    if (data === undefined) input.end()
    else await new Promise<void>((resolve) => input.once('close', resolve).write(data, () => resolve()))
  }

  resize(id: string, size: TerminalSize): void {
    this.#connected.get(id)?.resize?.(size)
  }
}
