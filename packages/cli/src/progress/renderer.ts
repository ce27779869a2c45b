/**
 * Progress renderers: each turns the library's events into text and does nothing else. No clock, no stream: times come
 * with the events and with `tick`, so a test is a list of events and the text they make.
 */
import type { ProgressEvent } from '@tsbuild/builder'

/** Size of the terminal in characters. */
export interface ScreenSize {
  readonly columns: number
  readonly rows: number
}

/** What a renderer may know of the place it writes to. */
export interface RenderOptions {
  /** Makes a line of a build's output safe to print there. */
  readonly clean: (line: string) => string
  /** Renderers may use colours of their own. */
  readonly colour: boolean
  /** Asked at each draw, since terminals change their size. */
  readonly size: () => ScreenSize
}

export interface Renderer {
  /** The text to write for one event, '' for none. */
  event(event: ProgressEvent): string
  /** Called a few times a second with the time in ms since the epoch: what has to be written although nothing happened. */
  tick(now: number): string
  /** The last text: everything that is still held back, and whatever restores the terminal. */
  end(now: number): string
}
