/** What a screen shows of a build: the events so far, reduced to the state of each step. */
import type { ProgressEvent } from '@tsbuild/builder'
import { plainText } from './escape.ts'
import { LogLines } from './log-lines.ts'

export type StepState = 'running' | 'done' | 'cached' | 'failed' | 'canceled'

export interface Transfer {
  current: number
  total: number
  readonly unit: 'files' | undefined
  readonly started: number
  updated: number
}

export interface StepView {
  readonly name: string
  readonly started: number
  state: StepState
  ended: number | undefined
  /** Insertion order is the order on the screen. */
  readonly transfers: Map<string, Transfer>
  /** The last lines of output, oldest first. */
  readonly tail: string[]
  readonly logs: Map<string, LogLines>
}

/** Lines of output that are kept for each step. */
const TAIL = 8
/** Transfers that are kept for each step; a base image with more layers shows the newest. */
const MAX_TRANSFERS = 64

/** Applies events one after the other. */
export class ProgressModel {
  /** In the order in which they started. */
  readonly steps = new Map<string, StepView>()
  /** Time of the first event. */
  started: number | undefined

  apply(event: ProgressEvent): void {
    this.started ??= event.time
    if (event.type === 'started') {
      this.steps.set(event.vertex.id, newStep(plainText(event.vertex.name), event.time))
      return
    }
    const step = event.type === 'warning' ? undefined : this.steps.get(event.id)
    if (!step) return
    if (event.type === 'log') appendLog(step, event.stream, event.data)
    else if (event.type === 'progress') updateTransfer(step, event)
    else if (event.type === 'explained') step.tail.push(plainText(event.text))
    else if (event.type !== 'warning') finish(step, event.type, event.time)
  }

  /** Steps that are over. */
  get finished(): number {
    let count = 0
    for (const step of this.steps.values()) if (step.state !== 'running') count++
    return count
  }
}

function newStep(name: string, started: number): StepView {
  return { name, started, state: 'running', ended: undefined, transfers: new Map(), tail: [], logs: new Map() }
}

function appendLog(step: StepView, stream: string, data: Buffer): void {
  const lines = step.logs.get(stream) ?? new LogLines()
  step.logs.set(stream, lines)
  for (const piece of lines.push(data)) step.tail.push(plainText(piece.text))
  if (step.tail.length > TAIL) step.tail.splice(0, step.tail.length - TAIL)
}

function updateTransfer(step: StepView, event: Extract<ProgressEvent, { type: 'progress' }>): void {
  const item = plainText(event.item)
  const known = step.transfers.get(item)
  if (known) {
    known.current = event.current
    known.total = event.total
    known.updated = event.time
    return
  }
  const { current, total, unit, time } = event
  step.transfers.set(item, { current, total, unit, started: time, updated: time })
  if (step.transfers.size > MAX_TRANSFERS) step.transfers.delete(step.transfers.keys().next().value!)
}

function finish(step: StepView, state: Exclude<StepState, 'running'>, time: number): void {
  step.state = state
  step.ended = time
  step.logs.clear()
  if (state !== 'failed') step.tail.length = 0
}
