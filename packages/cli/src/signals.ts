/** Ctrl-C and its kin: the first signal asks the command to stop, the second ends the process at once. */
import { readFileSync } from 'node:fs'
import { EXIT } from './exit-codes.ts'

const CODES = { SIGINT: EXIT.interrupted, SIGTERM: EXIT.terminated, SIGHUP: EXIT.hangup } as const
const NUMBERS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const

type TrappedSignal = keyof typeof CODES

export interface SignalTrap extends Disposable {
  /** Aborted by the first signal, and by {@link SignalTrap.abort}. */
  readonly signal: AbortSignal
  /** The exit code that the signal calls for; undefined while none came. */
  readonly exitCode: number | undefined
  /** Asks the command to stop for another reason. */
  abort(reason: unknown): void
}

/** Listens until it is disposed. Signals that the process was started to ignore (nohup) stay ignored. */
export function trapSignals(): SignalTrap {
  const controller = new AbortController()
  const ignored = ignoredSignals()
  const names = (['SIGINT', 'SIGTERM', 'SIGHUP'] as const).filter((name) => !ignored.has(name))
  let caught: TrappedSignal | undefined
  const listener = (name: NodeJS.Signals): void => {
    const code = CODES[name as TrappedSignal]
    if (caught) process.exit(code)
    caught = name as TrappedSignal
    controller.abort(new DOMException(`interrupted by ${name}`, 'AbortError'))
  }
  for (const name of names) process.on(name, listener)
  return {
    signal: controller.signal,
    get exitCode() {
      return caught && CODES[caught]
    },
    abort: (reason) => controller.abort(reason),
    [Symbol.dispose]: () => {
      for (const name of names) process.removeListener(name, listener)
    },
  }
}

function ignoredSignals(): Set<TrappedSignal> {
  const ignored = new Set<TrappedSignal>()
  try {
    const mask = BigInt(`0x${/^SigIgn:\s*([0-9a-f]+)/m.exec(readFileSync('/proc/self/status', 'utf8'))![1]}`)
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      if ((mask >> BigInt(NUMBERS[name] - 1)) & 1n) ignored.add(name)
    }
  } catch {
    // No /proc: no other way to know.
  }
  return ignored
}
