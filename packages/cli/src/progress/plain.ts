/** The plain renderer: one line after the other, each with the number of its step, as BuildKit prints them. */
import type { ProgressEvent } from '@tsbuild/builder'
import { escapeControls } from './escape.ts'
import { formatProgress, formatSeconds } from './format.ts'
import { type LinePiece, LogLines } from './log-lines.ts'
import type { Renderer, RenderOptions } from './renderer.ts'

type Event<T extends ProgressEvent['type']> = Extract<ProgressEvent, { type: T }>

/** A step that waits this long (ms) with something to say takes the floor from the one that has it. */
const PATIENCE = 2000
/** So does one that has this many characters to say. */
const MAX_HELD = 64 * 1024
/** A begun line is shown after this time (ms): it may be a question. */
const PARTIAL_AFTER = 500
/** Time (ms) between two lines about the same transfer. */
const PROGRESS_EVERY = 5000

interface Step {
  readonly number: number
  readonly name: string
  readonly started: number
  readonly logs: Map<string, LogLines>
  /** First and last printed time of each transfer. */
  readonly transfers: Map<string, { readonly since: number; printed: number }>
  introduced: boolean
  /** Text that waits until the step has the floor. */
  held: string
  heldSince: number
  /** When the last chunk of output came. */
  lastLog: number
}

export function plainRenderer({ clean }: Pick<RenderOptions, 'clean'>): Renderer {
  return new PlainRenderer(clean)
}

class PlainRenderer implements Renderer {
  readonly #clean: (line: string) => string
  readonly #steps = new Map<string, Step>()
  #count = 0
  /** The step that has the floor. */
  #current: string | undefined
  /** The stream whose begun line stands on the screen without its newline. */
  #open: LogLines | undefined
  #out = ''

  constructor(clean: (line: string) => string) {
    this.#clean = clean
  }

  event(event: ProgressEvent): string {
    if (event.type === 'started') this.#start(event)
    else if (event.type === 'log') this.#log(event)
    else if (event.type === 'progress') this.#progress(event)
    else if (event.type === 'explained') this.#explain(event)
    else if (event.type === 'cached') this.#finish(event.id, () => 'CACHED')
    else if (event.type === 'canceled') this.#finish(event.id, () => 'CANCELED')
    else if (event.type === 'failed') this.#finish(event.id, () => `ERROR: ${firstLine(event.message)}`)
    else if (event.type === 'done') {
      this.#finish(event.id, (step) => `DONE ${formatSeconds(event.time - step.started)}`)
    }
    return this.#take()
  }

  tick(now: number): string {
    for (const [id, step] of this.#steps) {
      if (id !== this.#current && (step.held !== '' || !step.introduced) && now - step.heldSince > PATIENCE) {
        this.#giveFloor(id, step)
        break
      }
    }
    const current = this.#current === undefined ? undefined : this.#steps.get(this.#current)
    if (current && now - current.lastLog >= PARTIAL_AFTER) {
      for (const lines of current.logs.values()) {
        if (lines.hasPartial) this.#writePartial(current, lines)
      }
    }
    return this.#take()
  }

  end(): string {
    for (const [id, step] of this.#steps) {
      this.#endLogs(step)
      if (step.held !== '' || !step.introduced) this.#giveFloor(id, step)
    }
    this.#closeLine()
    return this.#take()
  }

  #start(event: Event<'started'>): void {
    const step: Step = {
      number: ++this.#count,
      name: escapeControls(event.vertex.name),
      started: event.time,
      logs: new Map(),
      transfers: new Map(),
      introduced: false,
      held: '',
      heldSince: event.time,
      lastLog: event.time,
    }
    this.#steps.set(event.vertex.id, step)
    if (this.#current === undefined) this.#giveFloor(event.vertex.id, step)
  }

  #log(event: Event<'log'>): void {
    const step = this.#steps.get(event.id)
    if (!step) return
    const lines = step.logs.get(event.stream) ?? new LogLines()
    step.logs.set(event.stream, lines)
    step.lastLog = event.time
    for (const piece of lines.push(event.data)) this.#line(event.id, step, lines, piece, event.time)
  }

  #progress(event: Event<'progress'>): void {
    const step = this.#steps.get(event.id)
    if (!step) return
    const transfer = step.transfers.get(event.item) ?? { since: event.time, printed: event.time }
    step.transfers.set(event.item, transfer)
    const complete = event.total > 0 && event.current >= event.total
    if (transfer.printed === Number.POSITIVE_INFINITY) return
    if (!complete && event.time - transfer.printed < PROGRESS_EVERY) return
    transfer.printed = complete ? Number.POSITIVE_INFINITY : event.time
    const amount = formatProgress(event.current, event.total, event.unit)
    const spent = event.time - transfer.since >= 100 ? ` ${formatSeconds(event.time - transfer.since)}` : ''
    const text = `#${step.number} ${escapeControls(event.item)} ${amount}${spent}${complete ? ' done' : ''}\n`
    this.#say(event.id, step, text, event.time)
  }

  #explain(event: Event<'explained'>): void {
    const step = this.#steps.get(event.id)
    if (step) this.#say(event.id, step, `#${step.number} ${escapeControls(event.text)}\n`, event.time)
  }

  #finish(id: string, verdict: (step: Step) => string): void {
    const step = this.#steps.get(id)
    if (!step) return
    this.#endLogs(step)
    this.#giveFloor(id, step)
    this.#closeLine()
    this.#out += `#${step.number} ${verdict(step)}\n`
    this.#steps.delete(id)
    this.#current = undefined
    for (const [other, waiting] of this.#steps) {
      if (waiting.held !== '' || !waiting.introduced) {
        this.#giveFloor(other, waiting)
        break
      }
    }
  }

  /** Puts a line of a process where it belongs: on the screen, or to what the step holds back. */
  #line(id: string, step: Step, lines: LogLines, piece: LinePiece, time: number): void {
    const text = this.#clean(piece.text)
    if (id === this.#current && piece.continues && this.#open === lines) {
      this.#out += `${text}\n`
      this.#open = undefined
      return
    }
    this.#say(id, step, `${prefix(step, time)}${text}\n`, time)
  }

  #say(id: string, step: Step, text: string, time: number): void {
    if (id === this.#current) {
      this.#closeLine()
      this.#out += text
      return
    }
    if (step.held === '' && step.introduced) step.heldSince = time
    step.held += text
    const impatient = time - step.heldSince > PATIENCE || step.held.length > MAX_HELD
    if (impatient || this.#current === undefined) this.#giveFloor(id, step)
  }

  #writePartial(step: Step, lines: LogLines): void {
    const piece = lines.takePartial()
    if (!piece.continues || this.#open !== lines) {
      this.#closeLine()
      this.#out += prefix(step, step.lastLog)
    }
    this.#out += this.#clean(piece.text)
    this.#open = lines
  }

  #endLogs(step: Step): void {
    for (const lines of step.logs.values()) {
      for (const piece of lines.end()) {
        const text = this.#clean(piece.text)
        if (piece.continues && this.#open === lines) this.#out += text
        else step.held += `${prefix(step, step.lastLog)}${text}\n`
      }
    }
    step.logs.clear()
  }

  /** From here on lines of this step are printed as they come. */
  #giveFloor(id: string, step: Step): void {
    if (this.#current !== id) {
      this.#closeLine()
      const other = this.#current === undefined ? undefined : this.#steps.get(this.#current)
      if (other) this.#out += `#${other.number} ...\n`
      this.#out += `${this.#first ? '' : '\n'}#${step.number} ${step.name}\n`
      this.#first = false
      this.#current = id
      step.introduced = true
    }
    if (step.held === '') return
    this.#closeLine()
    this.#out += step.held
    step.held = ''
  }

  #first = true

  #closeLine(): void {
    if (this.#open) this.#out += '\n'
    this.#open = undefined
  }

  #take(): string {
    const text = this.#out
    this.#out = ''
    return text
  }
}

/** The whole message is printed when the build has ended. */
function firstLine(message: string): string {
  const end = message.indexOf('\n')
  return escapeControls(end < 0 ? message : `${message.slice(0, end)} …`)
}

const prefix = (step: Step, time: number): string =>
  `#${step.number} ${(Math.max(0, time - step.started) / 1000).toFixed(3)} `
