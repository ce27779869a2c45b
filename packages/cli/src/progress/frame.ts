/** The block of lines that shows a build on a terminal: a pure function of the model, the time and the size. */
import { formatProgress, formatSeconds } from './format.ts'
import type { ProgressModel, StepView } from './model.ts'
import type { ScreenSize } from './renderer.ts'
import { fit, textWidth } from './width.ts'

/** A line without control sequences, and how it is to be coloured. */
export interface FrameLine {
  readonly text: string
  readonly style: 'title' | 'running' | 'done' | 'cached' | 'failed' | 'detail'
}

/** Lines of output that a running step shows. */
const LOG_LINES = 6
/** Lines below a running step that finished ones make room for. */
const MIN_DETAILS = 3
const MIN_COLUMNS = 20

/**
 * The lines of the block, each cut to the width of the screen.
 *
 * @param final the build is over: everything is shown, however long the block gets
 */
export function frame(model: ProgressModel, now: number, size: ScreenSize, final: boolean): FrameLine[] {
  const columns = Math.max(MIN_COLUMNS, size.columns) - 1
  const steps = [...model.steps.values()]
  const room = final ? Number.POSITIVE_INFINITY : Math.max(3, size.rows - 2)
  const running = steps.filter(isRunning).length
  const visible = chooseSteps(steps, final ? room : room - Math.min(running * MIN_DETAILS, Math.floor(room / 2)))
  const details = Math.floor((room - visible.length) / Math.max(1, running))
  const spent = formatSeconds(now - (model.started ?? now))
  const done = final && model.finished === steps.length ? ' FINISHED' : ''
  const title = `[+] Building ${spent} (${model.finished}/${steps.length})${done}`
  const lines: FrameLine[] = [{ text: fit(title, columns), style: 'title' }]
  for (const step of visible) lines.push(...stepLines(step, now, columns, final ? 0 : details))
  return lines
}

const isRunning = (step: StepView): boolean => step.state === 'running'

/** When not all steps fit: the ones that run or failed, then the ones that ended last, in their order. */
function chooseSteps(steps: readonly StepView[], room: number): readonly StepView[] {
  if (steps.length <= room) return steps
  const ranked = steps.toSorted((a, b) => rank(b) - rank(a) || (b.ended ?? b.started) - (a.ended ?? a.started))
  const chosen = new Set(ranked.slice(0, room))
  return steps.filter((step) => chosen.has(step))
}

const rank = (step: StepView): number => (step.state === 'running' ? 2 : step.state === 'failed' ? 1 : 0)

function stepLines(step: StepView, now: number, columns: number, details: number): FrameLine[] {
  const label =
    step.state === 'cached'
      ? 'CACHED '
      : step.state === 'failed'
        ? 'ERROR '
        : step.state === 'canceled'
          ? 'CANCELED '
          : ''
  const style = step.state === 'canceled' ? 'failed' : step.state
  const lines: FrameLine[] = [
    { text: withTime(` => ${label}${step.name}`, (step.ended ?? now) - step.started, columns), style },
  ]
  if (step.state !== 'running' || details <= 0) return lines
  const transfers = [...step.transfers].filter(([, item]) => item.total === 0 || item.current < item.total)
  for (const [name, item] of transfers.slice(-details)) {
    const amount = formatProgress(item.current, item.total, item.unit)
    lines.push({ text: withTime(` => => ${name} ${amount}`, item.updated - item.started, columns), style: 'detail' })
  }
  const left = Math.min(LOG_LINES, details - (lines.length - 1))
  if (left > 0) {
    for (const text of step.tail.slice(-left)) lines.push({ text: fit(` => => # ${text}`, columns), style: 'detail' })
  }
  return lines
}

/** The text on the left, the seconds on the right edge. */
function withTime(text: string, ms: number, columns: number): string {
  const time = formatSeconds(ms)
  const left = fit(text, columns - time.length - 1)
  return `${left}${' '.repeat(Math.max(1, columns - textWidth(left) - time.length))}${time}`
}
