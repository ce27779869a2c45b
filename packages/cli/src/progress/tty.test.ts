import type { ProgressEvent } from '@tsbuild/builder'
import { describe, expect, it } from 'vitest'
import { ended, failed, log, progress, START, started } from './events.test-support.ts'
import { frame } from './frame.ts'
import { ProgressModel } from './model.ts'
import { ttyRenderer } from './tty.ts'

function model(events: readonly ProgressEvent[]): ProgressModel {
  const state = new ProgressModel()
  for (const event of events) state.apply(event)
  return state
}

const texts = (events: readonly ProgressEvent[], now: number, size = { columns: 61, rows: 20 }, final = false) =>
  frame(model(events), START + now, size, final).map((line) => line.text)

const EVENTS = [
  started(0, 'a', '[internal] load build definition from Dockerfile'),
  ended(12, 'a', 'done'),
  started(20, 'b', '[1/3] FROM busybox'),
  ended(20, 'b', 'cached'),
  started(30, 'p', 'pull docker.io/library/debian'),
  progress(40, 'p', 'sha256:0123456789ab', 1_200_000, 3_000_000),
  progress(40, 'p', 'sha256:finished', 10, 10),
  started(30, 'c', '[2/3] RUN make'),
  log(40, 'c', 'one\ntwo\n'),
]

describe('the frame', () => {
  it('shows each step with its time, what is transferred and what was said last', () => {
    expect(texts(EVENTS, 1030)).toEqual([
      '[+] Building 1.0s (2/4)',
      ' => [internal] load build definition from Dockerfile    0.0s',
      ' => CACHED [1/3] FROM busybox                           0.0s',
      ' => pull docker.io/library/debian                       1.0s',
      ' => => sha256:0123456789ab 1.20MB / 3.00MB              0.0s',
      ' => [2/3] RUN make                                      1.0s',
      ' => => # one',
      ' => => # two',
    ])
  })

  it('fits into the width', () => {
    const wide = [started(0, 'a', `[1/1] RUN ${'日本語'.repeat(40)}`), log(0, 'a', `${'x'.repeat(300)}\n`)]
    expect(texts(wide, 0, { columns: 31, rows: 9 })).toEqual([
      '[+] Building 0.0s (0/1)',
      ' => [1/1] RUN 日本語日本… 0.0s',
      ' => => # xxxxxxxxxxxxxxxxxxxx…',
    ])
  })

  it('fits into the height: running steps first, then those that ended last', () => {
    const many = [
      ...Array.from({ length: 9 }, (_, i) => [started(i, `s${i}`, `step ${i}`), ended(i, `s${i}`, 'done')]).flat(),
      started(20, 'r', 'running'),
      log(21, 'r', 'output\n'),
    ]
    expect(texts(many, 20, { columns: 31, rows: 6 }).map((text) => text.replace(/ +\d\.\ds$/, ''))).toEqual([
      '[+] Building 0.0s (9/10)',
      ' => step 8',
      ' => running',
      ' => => # output',
    ])
    expect(texts(many, 20, { columns: 31, rows: 6 }, true)).toHaveLength(11)
  })

  it('says how steps ended', () => {
    const events = [started(0, 'a', 'A'), failed(1, 'a', 'x'), started(0, 'b', 'B'), ended(1, 'b', 'canceled')]
    expect(texts(events, 1, { columns: 25, rows: 9 }, true)).toEqual([
      `${'[+] Building 0.0s (2/2) FINI…'.slice(0, 23)}…`,
      ' => ERROR A         0.0s',
      ' => CANCELED B      0.0s',
    ])
  })

  it('lets no output move the cursor', () => {
    const events = [started(0, 'a', 'A\x1b[2J\nB'), log(0, 'a', '\x1b[5A\x1b[31mx\x07\ty\n')]
    expect(texts(events, 0)).toEqual([
      '[+] Building 0.0s (0/1)',
      ' => A\\x0aB                                              0.0s',
      ' => => # x\\x07  y',
    ])
  })
})

describe('the tty renderer', () => {
  it('draws in place, hides the cursor while it does and shows it at the end', () => {
    let columns = 40
    const renderer = ttyRenderer({ size: () => ({ columns, rows: 10 }), colour: true })
    expect(renderer.tick(START)).toBe('')
    expect(renderer.event(started(0, 'a', 'A'))).toBe('')
    const first = renderer.tick(START + 100)
    expect(first).toMatch(/^\x1b\[\?25l\[\+\] Building 0\.1s/)
    const second = renderer.tick(START + 200)
    expect(second.startsWith('\x1b[2A\r')).toBe(true)
    columns = 20
    expect(renderer.tick(START + 300).startsWith('\x1b[4A\r')).toBe(true)
    columns = 60
    renderer.event(ended(400, 'a', 'done'))
    const last = renderer.end(START + 400)
    expect(last).toContain('FINISHED')
    expect(last).toContain('\x1b[34m => A')
    expect(last.endsWith('\x1b[J\x1b[?25h')).toBe(true)
  })

  it('prints nothing when nothing happened', () => {
    const renderer = ttyRenderer({ size: () => ({ columns: 80, rows: 24 }), colour: false })
    expect(renderer.end(START)).toBe('')
  })

  it('uses no colours where there are none', () => {
    const renderer = ttyRenderer({ size: () => ({ columns: 80, rows: 24 }), colour: false })
    renderer.event(started(0, 'a', 'A'))
    renderer.event(ended(1, 'a', 'done'))
    expect(renderer.end(START)).not.toMatch(/\x1b\[\d*m/)
  })
})
