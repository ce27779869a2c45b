/** Reads what a process being set up tells on its status pipe. */
import { constants } from 'node:os'
import { sandboxErrors } from '../errors.ts'
import type { InitStatus } from '../init-protocol.ts'
import type { Stub } from '../mounts/points.ts'
import { drain } from '../stdio.ts'

export type SetUpFailure = Extract<InitStatus, { type: 'failed' }>

/** What is known when the pipe is closed: at exec, or when the supervisor of a process ends. */
export interface Told {
  readonly failure: SetUpFailure | undefined
  /** The program is about to be executed: nothing of ours can go wrong any more. */
  readonly ready: boolean
  readonly signal: NodeJS.Signals | undefined
}

export interface StatusListener {
  /** The process waits for its network; its pid as the worker sees it. */
  onPid(pid: number): void
  onReady(): void
  onStub(stub: Stub): void
}

/** Reads to the end of the pipe; the descriptor is closed. */
export async function readStatus(fd: number, listener: StatusListener): Promise<Told> {
  let failure: SetUpFailure | undefined
  let ready = false
  let signal: NodeJS.Signals | undefined
  let rest = ''
  await drain(fd, (chunk) => {
    const lines = (rest + chunk.toString()).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      const message = JSON.parse(line) as InitStatus
      if (message.type === 'failed') failure = message
      else if (message.type === 'signal') signal = signalName(message.number)
      else if (message.type === 'pid') listener.onPid(message.pid)
      else if (message.type === 'stub') listener.onStub(stubOf(message))
      else {
        ready = true
        listener.onReady()
      }
    }
  })
  return { failure, ready, signal }
}

function stubOf({ path, kind, atimeNs, mtimeNs }: Extract<InitStatus, { type: 'stub' }>): Stub {
  return { path, kind, parentAtimeNs: BigInt(atimeNs), parentMtimeNs: BigInt(mtimeNs) }
}

/** The BuildError for a set-up that failed. */
export function setUpError(failure: SetUpFailure): Error {
  if (failure.kind === 'exec') return sandboxErrors.execFailed([failure.message], { exitCode: failure.exitCode })
  if (failure.kind === 'user') return sandboxErrors.userNotMapped([failure.message])
  return sandboxErrors.setupFailed([failure.message])
}

const signalNames = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name as NodeJS.Signals]))

/** `SIGKILL` for 9. */
export function signalName(number: number): NodeJS.Signals | undefined {
  return signalNames.get(number)
}
