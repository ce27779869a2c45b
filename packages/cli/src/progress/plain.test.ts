import type { ProgressEvent } from '@tsbuild/builder'
import { describe, expect, it } from 'vitest'
import { escapeControls, keepColours } from './escape.ts'
import { ended, failed, log, progress, START, started } from './events.test-support.ts'
import { plainRenderer } from './plain.ts'

/** The text of events and, where there is a number, of a tick at that time. */
function render(events: readonly (ProgressEvent | number)[], clean = escapeControls): string {
  const renderer = plainRenderer({ clean })
  const texts = events.map((event) =>
    typeof event === 'number' ? renderer.tick(START + event) : renderer.event(event),
  )
  return [...texts, renderer.end(START)].join('')
}

describe('the plain renderer', () => {
  it('prints one step after the other', () => {
    expect(
      render([
        started(0, 'a', '[internal] load build definition from Dockerfile'),
        ended(12, 'a', 'done'),
        started(20, 'b', '[1/3] FROM docker.io/library/busybox'),
        ended(20, 'b', 'cached'),
        started(30, 'c', '[2/3] RUN make'),
        log(153, 'c', 'one\ntwo\n'),
        log(160, 'c', 'oops\n', 'stderr'),
        ended(1430, 'c', 'done'),
        started(1431, 'd', '[3/3] RUN false'),
        failed(1500, 'd', 'process "/bin/sh -c false" did not complete successfully: exit code: 1'),
      ]),
    ).toBe(`#1 [internal] load build definition from Dockerfile
#1 DONE 0.0s

#2 [1/3] FROM docker.io/library/busybox
#2 CACHED

#3 [2/3] RUN make
#3 0.123 one
#3 0.123 two
#3 0.130 oops
#3 DONE 1.4s

#4 [3/3] RUN false
#4 ERROR: process "/bin/sh -c false" did not complete successfully: exit code: 1
`)
  })

  it('lets one of two parallel steps speak at a time, and the other after two seconds', () => {
    expect(
      render([
        started(0, 'a', '[a 1/1] RUN a'),
        started(1, 'b', '[b 1/1] RUN b'),
        log(100, 'b', 'b1\n'),
        log(200, 'a', 'a1\n'),
        log(300, 'b', 'b2\n'),
        2500,
        log(2600, 'b', 'b3\n'),
        log(2700, 'a', 'a2\n'),
        ended(2800, 'a', 'done'),
        ended(2900, 'b', 'canceled'),
      ]),
    ).toBe(`#1 [a 1/1] RUN a
#1 0.200 a1
#1 ...

#2 [b 1/1] RUN b
#2 0.099 b1
#2 0.299 b2
#2 2.599 b3
#2 ...

#1 [a 1/1] RUN a
#1 2.700 a2
#1 DONE 2.8s

#2 [b 1/1] RUN b
#2 CANCELED
`)
  })

  it('does not hold back much of a step that has to wait', () => {
    const text = render([started(0, 'a', 'A'), started(0, 'b', 'B'), log(1, 'b', `${'x'.repeat(9)}\n`.repeat(8000))])
    expect(text).toMatch(/^#1 A\n#1 \.\.\.\n\n#2 B\n#2 0\.001 x{9}\n/)
  })

  it('shows a begun line after half a second and continues it', () => {
    expect(
      render([
        started(0, 'a', 'A'),
        log(10, 'a', 'really? '),
        200,
        600,
        log(700, 'a', 'yes\nok\n'),
        ended(800, 'a', 'done'),
      ]),
    ).toBe('#1 A\n#1 0.010 really? yes\n#1 0.700 ok\n#1 DONE 0.8s\n')
  })

  it('ends a begun line before anything else is printed', () => {
    expect(
      render([
        started(0, 'a', 'A'),
        log(10, 'a', 'wait'),
        600,
        log(700, 'a', 'error\n', 'stderr'),
        log(701, 'a', 'ing\n'),
        ended(800, 'a', 'done'),
      ]),
    ).toBe('#1 A\n#1 0.010 wait\n#1 0.700 error\n#1 0.701 ing\n#1 DONE 0.8s\n')
  })

  it('prints what a step left unfinished, also when it was interrupted', () => {
    expect(render([started(0, 'a', 'A'), log(10, 'a', 'half')])).toBe('#1 A\n#1 0.010 half\n')
    expect(render([started(0, 'a', 'A'), log(10, 'a', 'half'), ended(20, 'a', 'done')])).toBe(
      '#1 A\n#1 0.010 half\n#1 DONE 0.0s\n',
    )
  })

  it('lets no output pass for a line of its own', () => {
    const text = render([
      started(0, 'a', '[2/2] RUN evil\n#7 DONE 0.0s'),
      log(10, 'a', 'x\r#99 DONE 0.0s\n\x1b[1A\x1b[2K#98 DONE 0.0s\n#97 DONE\u2028#96\n'),
      failed(20, 'a', 'bad\n#95 DONE 0.0s'),
    ])
    expect(text).toBe(`#1 [2/2] RUN evil\\x0a#7 DONE 0.0s
#1 0.010 #99 DONE 0.0s
#1 0.010 \\x1b[1A\\x1b[2K#98 DONE 0.0s
#1 0.010 #97 DONE\\u2028#96
#1 ERROR: bad …
`)
  })

  it('keeps colours on a terminal and nothing else', () => {
    const text = render([started(0, 'a', 'A'), log(0, 'a', '\x1b[31mred\x1b[2J\n')], keepColours)
    expect(text).toBe('#1 A\n#1 0.000 \x1b[31mred\x1b[0m\n')
  })

  it('reports transfers now and then, and at their end', () => {
    const events = Array.from({ length: 100 }, (_, i) => progress(i * 100, 'a', 'sha256:abc', i * 10_000, 1_000_000))
    expect(
      render([started(0, 'a', 'pull'), ...events, progress(10_000, 'a', 'sha256:abc', 1_000_000, 1_000_000)]),
    ).toBe('#1 pull\n#1 sha256:abc 500kB / 1.00MB 5.0s\n#1 sha256:abc 1.00MB / 1.00MB 10.0s done\n')
  })

  it('ignores events of steps that it does not know', () => {
    expect(render([log(0, 'x', 'a\n'), ended(0, 'x', 'done'), progress(0, 'x', 'y', 1, 1)])).toBe('')
  })
})
