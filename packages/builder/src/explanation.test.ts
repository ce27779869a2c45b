import { expect, it } from 'vitest'
import { type BuildExplanation, explanationText, type RebuildCause } from './explanation.ts'

const text = (step: string, cause: RebuildCause) =>
  explanationText({
    started: 1,
    comparedWith: undefined,
    cached: 0,
    steps: [{ step, at: undefined, cause, from: step }],
  } satisfies BuildExplanation)

it('is one line for each thing, whatever it is called', () => {
  const evil = 'a\n\n[9/9] RUN other\r  because\u2028x'
  const change = { path: evil, change: 'added', before: undefined, after: undefined } as const
  const causes: RebuildCause[] = [
    { kind: 'files', source: evil, changes: [change], changed: 1, total: 1 },
    { kind: 'instruction', before: evil, after: '' },
    { kind: 'setting', name: 'data', before: evil, after: evil },
    { kind: 'base-image', image: evil, before: '', after: '' },
  ]
  for (const cause of causes)
    expect(
      text(evil, cause)
        .trimEnd()
        .split(/[\n\r\u2028]/),
    ).toHaveLength(5)
})

it('is short where what differs is long', () => {
  const cause: RebuildCause = {
    kind: 'setting',
    name: 'data',
    before: `a${'x'.repeat(5000)}`,
    after: `b${'x'.repeat(5000)}`,
  }
  expect(text('s', cause)).toMatch(/was ax+…, is bx+…\n/)
})
