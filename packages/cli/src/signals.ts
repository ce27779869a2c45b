/** Ctrl-C and its kin: the first signal asks the command to stop, the second ends the process at once. */
import { EXIT } from './exit-codes.ts'

const CODES = { SIGINT: EXIT.interrupted, SIGTERM: EXIT.terminated, SIGHUP: EXIT.hangup } as const

type TrappedSignal = keyof typeof CODES

const TRAPPED: readonly TrappedSignal[] = ['SIGINT', 'SIGTERM', 'SIGHUP']

export interface SignalTrap extends Disposable {
  /** Aborted by the first signal, and by {@link SignalTrap.abort}. */
  readonly signal: AbortSignal
  /** The exit code that the signal calls for; undefined while none came. */
  readonly exitCode: number | undefined
  /** Asks the command to stop for another reason. */
  abort(reason: unknown): void
}

/**
 * Listens until it is disposed. What the process was started to ignore cannot be respected: Node sets every signal back
 * when it starts, so that nohup has no effect on it.
 */
export function trapSignals(): SignalTrap {
  const controller = new AbortController()
  let caught: TrappedSignal | undefined
  const listener = (name: NodeJS.Signals): void => {
    const code = CODES[name as TrappedSignal]
    if (caught) process.exit(code)
    caught = name as TrappedSignal
    controller.abort(new DOMException(`interrupted by ${name}`, 'AbortError'))
  }
  for (const name of TRAPPED) process.on(name, listener)
  return {
    signal: controller.signal,
    get exitCode() {
      return caught && CODES[caught]
    },
    abort: (reason) => controller.abort(reason),
    [Symbol.dispose]: () => {
      for (const name of TRAPPED) process.removeListener(name, listener)
    },
  }
}
