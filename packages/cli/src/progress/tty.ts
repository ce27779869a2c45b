/** The tty renderer: one block of lines that is drawn over and over in its place. */
import type { ProgressEvent } from '@tsbuild/builder'
import { type FrameLine, frame } from './frame.ts'
import { ProgressModel } from './model.ts'
import type { Renderer, RenderOptions, ScreenSize } from './renderer.ts'
import { textWidth } from './width.ts'

const HIDE_CURSOR = '\x1b[?25l'
const SHOW_CURSOR = '\x1b[?25h'
const CLEAR_BELOW = '\x1b[J'
const CLEAR_LINE = '\x1b[K'

const STYLES: Readonly<Record<FrameLine['style'], string>> = {
  title: '',
  running: '',
  done: '\x1b[34m',
  cached: '\x1b[34m',
  failed: '\x1b[31m',
  detail: '\x1b[2m',
}

export function ttyRenderer(options: Pick<RenderOptions, 'size' | 'colour'>): Renderer {
  const model = new ProgressModel()
  let drawn: readonly FrameLine[] = []
  let changed = false

  const draw = (now: number, final: boolean): string => {
    const size = options.size()
    const lines = frame(model, now, size, final)
    const begin = drawn.length === 0 ? HIDE_CURSOR : backToTop(drawn, size)
    const body = lines.map((line) => `${paint(line, options.colour)}${CLEAR_LINE}\n`).join('')
    drawn = lines
    return `${begin}${body}${CLEAR_BELOW}`
  }

  return {
    event(event: ProgressEvent): string {
      model.apply(event)
      changed = true
      return ''
    },
    tick(now: number): string {
      const idle = !changed && model.finished === model.steps.size
      changed = false
      return model.steps.size === 0 || idle ? '' : draw(now, false)
    },
    end(now: number): string {
      return model.steps.size === 0 ? '' : draw(now, true) + SHOW_CURSOR
    },
  }
}

/** Moves to the first line of what was drawn; a narrower screen has wrapped its lines. */
function backToTop(drawn: readonly FrameLine[], size: ScreenSize): string {
  const columns = Math.max(1, size.columns)
  const rows = drawn.reduce((sum, line) => sum + Math.max(1, Math.ceil(textWidth(line.text) / columns)), 0)
  return `\x1b[${rows}A\r`
}

function paint(line: FrameLine, colour: boolean): string {
  const style = STYLES[line.style]
  return colour && style !== '' ? `${style}${line.text}\x1b[0m` : line.text
}
