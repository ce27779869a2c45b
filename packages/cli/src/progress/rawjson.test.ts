import type { ProgressEvent } from '@tsbuild/builder'
import { describe, expect, it } from 'vitest'
import { ended, failed, log, progress, started } from './events.test-support.ts'
import { rawJsonRenderer } from './rawjson.ts'

const render = (...events: ProgressEvent[]): unknown[] => {
  const renderer = rawJsonRenderer()
  const text = events.map((event) => renderer.event(event)).join('')
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
}

const time = (ms: number) => new Date(1_700_000_000_000 + ms).toISOString()

describe('the rawjson renderer', () => {
  it('writes an object per line, as BuildKit does', () => {
    expect(
      render(
        started(0, 'a', 'A'),
        log(1, 'a', Buffer.from([0xff, 0x0a]), 'stderr'),
        progress(2, 'a', 'blob', 5, 10),
        progress(3, 'a', 'blob', 10, 10),
        ended(4, 'a', 'cached'),
        failed(5, 'b', 'no'),
      ),
    ).toEqual([
      { vertexes: [{ digest: 'a', name: 'A', started: time(0) }] },
      { logs: [{ vertex: 'a', stream: 2, data: '/wo=', timestamp: time(1) }] },
      { statuses: [{ id: 'blob', vertex: 'a', current: 5, total: 10, timestamp: time(2) }] },
      { statuses: [{ id: 'blob', vertex: 'a', current: 10, total: 10, timestamp: time(3), completed: time(3) }] },
      { vertexes: [{ digest: 'a', name: 'A', started: time(0), completed: time(4), cached: true }] },
      { vertexes: [{ digest: 'b', completed: time(5), error: 'no' }] },
    ])
  })

  it('writes warnings with their texts in base64', () => {
    const warning = { rule: 'Rule', message: 'text', url: 'https://x' }
    expect(render({ type: 'warning', warning, time: 0 })).toEqual([
      { warnings: [{ level: 1, short: Buffer.from('Rule: text').toString('base64'), url: 'https://x' }] },
    ])
  })
})
