/** The quiet renderer: nothing at all. */
import type { Renderer } from './renderer.ts'

export function quietRenderer(): Renderer {
  return { event: () => '', tick: () => '', end: () => '' }
}
