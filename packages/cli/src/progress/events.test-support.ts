/** Short forms of progress events for tests; times are milliseconds after an arbitrary start. */
import type { ProgressEvent } from '@tsbuild/builder'

export const START = 1_700_000_000_000

export const started = (time: number, id: string, name: string): ProgressEvent => ({
  type: 'started',
  vertex: { id, name },
  time: START + time,
})

export const log = (
  time: number,
  id: string,
  text: string | Uint8Array,
  stream: 'stdout' | 'stderr' = 'stdout',
): ProgressEvent => ({ type: 'log', id, stream, data: Buffer.from(text as string), time: START + time })

export const progress = (time: number, id: string, item: string, current: number, total: number): ProgressEvent => ({
  type: 'progress',
  id,
  item,
  current,
  total,
  time: START + time,
})

export const ended = (time: number, id: string, type: 'done' | 'cached' | 'canceled'): ProgressEvent => ({
  type,
  id,
  time: START + time,
})

export const failed = (time: number, id: string, message: string): ProgressEvent => ({
  type: 'failed',
  id,
  message,
  time: START + time,
})
