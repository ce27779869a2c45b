import { describe, expect, it } from 'vitest'
import { Comparison } from './compare.ts'
import type { TracedStep } from './trace.ts'

const step = (name: string, over: Partial<TracedStep> = {}): TracedStep => ({
  kind: 'run',
  name,
  at: undefined,
  digest: undefined,
  key: `${name} ${JSON.stringify(over)}`,
  parts: [],
  below: undefined,
  sources: [],
  noCache: false,
  outcome: 'ran',
  ...over,
})
const run = (name: string, process: object, over: Partial<TracedStep> = {}): TracedStep =>
  step(name, { parts: [['process', process]], ...over })
const image = (digest: string): TracedStep =>
  step('base', { kind: 'image', key: undefined, digest, outcome: undefined })
const copy = (digest: string, source: number, over: Partial<TracedStep> = {}): TracedStep =>
  step('[b 2/3] COPY . .', {
    kind: 'file',
    parts: [['operations', [[{ op: 'copy' }, digest]]]],
    sources: [source],
    ...over,
  })

function why(before: TracedStep[], now: TracedStep[]) {
  const comparison = new Comparison(now, [{ started: 1, steps: before }])
  return now.map((_, i) => comparison.why(i)).at(-1)
}

describe('the cause of a rebuild', () => {
  it('is the first thing that differs in the step itself', () => {
    const before = run('[b 2/3] RUN make', { args: ['make'], env: ['A=1', 'B=2'], user: '' })
    expect(why([before], [run('[b 2/3] RUN make', { args: ['make'], env: ['A=1', 'B=3'], user: 'x' })])).toEqual({
      cause: { kind: 'variable', name: 'B', before: '2', after: '3', redacted: false },
      step: 0,
    })
    expect(why([before], [run('[b 2/3] RUN make', { args: ['make'], env: ['A=1', 'B=2'], user: 'x' })])?.cause).toEqual(
      {
        kind: 'setting',
        name: 'user',
        before: 'not set',
        after: 'x',
      },
    )
    expect(why([before], [run('[b 2/4] RUN make all', { args: ['make all'], env: [], user: '' })])?.cause).toEqual({
      kind: 'instruction',
      before: 'RUN make',
      after: 'RUN make all',
    })
  })

  it('of a name that shows a variable is the variable', () => {
    const found = why(
      [run('[2/2] RUN echo 1', { args: ['echo $V'], env: ['V=1'] })],
      [run('[2/2] RUN echo 2', { args: ['echo $V'], env: ['V=2'] })],
    )
    expect(found?.cause).toMatchObject({ kind: 'variable', name: 'V' })
  })

  it('shows no value of what looks secret', () => {
    const found = why(
      [run('[2/2] RUN x', { env: ['API_TOKEN=sha256:1'] })],
      [run('[2/2] RUN x', { env: ['API_TOKEN=sha256:2'] })],
    )
    expect(found?.cause).toEqual({
      kind: 'variable',
      name: 'API_TOKEN',
      before: undefined,
      after: undefined,
      redacted: true,
    })
  })

  it('lies in the base image, and everything above follows from it', () => {
    const stack = (digest: string) => [
      image(digest),
      run('[2/3] RUN a', { args: ['a'] }, { below: 0, key: `a on ${digest}` }),
      run('[3/3] RUN b', { args: ['b'] }, { below: 1, key: `b on ${digest}` }),
    ]
    expect(why(stack('sha256:old'), stack('sha256:new'))).toEqual({
      cause: { kind: 'base-image', image: 'base', before: 'sha256:old', after: 'sha256:new' },
      step: 0,
    })
  })

  it('of copied files is what changed them, or their listing', () => {
    const context = step('context', { kind: 'context', key: undefined, outcome: undefined })
    expect(why([context, copy('one', 0)], [context, copy('two', 0)])).toEqual({
      cause: { kind: 'fingerprints', source: 'the build context', before: 'one', after: 'two' },
      step: 1,
    })
    const built = (version: string) => [
      run('[a 2/2] RUN make', { args: ['make'], env: [`V=${version}`] }, { key: `made ${version}` }),
      copy(`files ${version}`, 0),
    ]
    expect(why(built('1'), built('2'))).toMatchObject({ cause: { kind: 'variable', name: 'V' }, step: 0 })
  })

  it('says when there is nothing to compare, or the result is gone', () => {
    const now = run('[2/2] RUN a', { args: ['a'] })
    expect(new Comparison([now], []).why(0).cause).toEqual({ kind: 'first-build' })
    expect(why([step('[x 2/2] RUN other')], [now])?.cause).toEqual({ kind: 'new-step' })
    expect(why([now], [now])?.cause).toEqual({ kind: 'not-kept' })
    expect(why([now], [{ ...now, noCache: true }])?.cause).toEqual({ kind: 'no-cache' })
  })

  it('is found in graphs as deep as Dockerfiles are long', () => {
    const deep = (version: string) =>
      Array.from({ length: 5_000 }, (_, i) =>
        run(
          `[${i + 2}/5000] RUN ${i}`,
          { args: [i], env: i === 0 ? [version] : [] },
          {
            below: i === 0 ? undefined : i - 1,
            key: `${i} ${version}`,
          },
        ),
      )
    const now = deep('V=2')
    expect(new Comparison(now, [{ started: 1, steps: deep('V=1') }]).why(4_999)).toMatchObject({
      cause: { kind: 'variable', name: 'V' },
      step: 0,
    })
  })
})
