/** Progress on stderr: which renderer a mode means, and the part that writes and keeps time. */
import type { ProgressEvent, ProgressListener } from '@tsbuild/builder'
import type { ProgressMode } from '../flags/build/draft.ts'
import type { Environment, Output } from '../io.ts'
import { escapeControls, keepColours, plainText } from './escape.ts'
import { plainRenderer } from './plain.ts'
import { quietRenderer } from './quiet.ts'
import { rawJsonRenderer } from './rawjson.ts'
import type { Renderer, RenderOptions } from './renderer.ts'
import { ttyRenderer } from './tty.ts'

const RENDERERS: Readonly<Record<Exclude<ProgressMode, 'auto'>, (options: RenderOptions) => Renderer>> = {
  plain: plainRenderer,
  tty: ttyRenderer,
  quiet: quietRenderer,
  none: quietRenderer,
  rawjson: rawJsonRenderer,
}

/** Time (ms) between two draws. */
const INTERVAL = 100

/** `auto` is tty on a terminal that can move its cursor, else plain; nothing else can show tty. */
export function chooseMode(mode: ProgressMode, output: Output, env: Environment): Exclude<ProgressMode, 'auto'> {
  if (mode !== 'auto' && mode !== 'tty') return mode
  return output.isTTY && env.TERM !== 'dumb' ? 'tty' : 'plain'
}

/** Colours are for terminals, unless NO_COLOR or FORCE_COLOR say otherwise. */
export function useColour(output: Output, env: Environment): boolean {
  if (env.NO_COLOR) return false
  const forced = env.FORCE_COLOR
  if (forced !== undefined && forced !== '') return forced !== '0' && forced !== 'false'
  return output.isTTY === true && env.TERM !== 'dumb'
}

/** Shows the progress of one build until it is disposed; disposing restores the terminal. */
export interface ProgressDisplay extends Disposable {
  readonly listener: ProgressListener
}

/** Starts showing progress on `output`. */
export function startProgress(mode: ProgressMode, output: Output, env: Environment): ProgressDisplay {
  const chosen = chooseMode(mode, output, env)
  const colour = useColour(output, env)
  const renderer = RENDERERS[chosen]({
    clean: colour ? keepColours : output.isTTY ? plainText : escapeControls,
    colour,
    size: () => ({ columns: output.columns || 80, rows: output.rows || 24 }),
  })
  const show = (text: string): void => {
    if (text !== '' && !output.destroyed) output.write(text)
  }
  const timer = setInterval(() => show(renderer.tick(Date.now())), INTERVAL).unref()
  let ended = false
  const end = (): void => {
    if (ended) return
    ended = true
    clearInterval(timer)
    process.removeListener('exit', end)
    show(renderer.end(Date.now()))
  }
  // A second Ctrl-C exits at once: the cursor must come back then too.
  process.once('exit', end)
  return {
    listener: (event: ProgressEvent) => {
      if (!ended) show(renderer.event(event))
    },
    [Symbol.dispose]: end,
  }
}
