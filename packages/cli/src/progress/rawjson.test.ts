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

const DIGEST = expect.stringMatching(/^sha256:[0-9a-f]{64}$/)
const a = { digest: `sha256:${'a'.repeat(64)}`, inputs: [`sha256:${'b'.repeat(64)}`] }

describe('the rawjson renderer', () => {
  it('writes an object per line, as BuildKit does', () => {
    expect(
      render(
        { type: 'started', vertex: { id: 'a', name: 'A', ...a }, time: 1_700_000_000_000 },
        log(1, 'a', Buffer.from([0xff, 0x0a]), 'stderr'),
        progress(2, 'a', 'blob', 5, 10),
        progress(3, 'a', 'blob', 10, 10),
        ended(4, 'a', 'cached'),
        failed(5, 'b', 'no'),
      ),
    ).toEqual([
      { vertexes: [{ ...a, name: 'A', started: time(0) }] },
      { logs: [{ vertex: a.digest, stream: 2, data: '/wo=', timestamp: time(1) }] },
      { statuses: [{ id: 'blob', vertex: a.digest, current: 5, total: 10, timestamp: time(2), started: time(2) }] },
      {
        statuses: [
          {
            id: 'blob',
            vertex: a.digest,
            current: 10,
            total: 10,
            timestamp: time(3),
            started: time(2),
            completed: time(3),
          },
        ],
      },
      { vertexes: [{ ...a, name: 'A', started: time(0), completed: time(4), cached: true }] },
      { vertexes: [{ digest: DIGEST, completed: time(5), error: 'no' }] },
    ])
  })

  it('makes up a digest where the library gives none', () => {
    expect(render(started(0, 'x', 'X'))).toEqual([{ vertexes: [{ digest: DIGEST, name: 'X', started: time(0) }] }])
  })

  it('writes warnings with their texts in base64', () => {
    const warning = { rule: 'Rule', message: 'text', url: 'https://x' }
    expect(render({ type: 'warning', warning, time: 0 })).toEqual([
      { warnings: [{ level: 1, short: Buffer.from('Rule: text').toString('base64'), url: 'https://x' }] },
    ])
  })
})
