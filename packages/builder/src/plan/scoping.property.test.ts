/** Random Dockerfiles of ARG, ENV and FROM against a plain model of their scopes. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { lintStages } from '../lint/index.ts'
import { parseText, resolveIn, testWorld } from '../stages/testing.ts'
import { planBuild } from './plan.ts'
import { testPlanOptions } from './testing.ts'

const names = ['A', 'B', 'C', 'D']
const name = fc.constantFrom(...names)
type Value = { readonly text: string } | { readonly of: string }
const value: fc.Arbitrary<Value> = fc.oneof(
  fc.constantFrom('x', 'y', '').map((text) => ({ text })),
  name.map((of) => ({ of })),
)
type Line =
  | { readonly kind: 'ARG'; readonly name: string; readonly value: Value | undefined }
  | { readonly kind: 'ENV'; readonly name: string; readonly value: Value }
const line: fc.Arbitrary<Line> = fc.oneof(
  fc.record({ kind: fc.constant('ARG' as const), name, value: fc.option(value, { nil: undefined }) }),
  fc.record({ kind: fc.constant('ENV' as const), name, value }),
)
const file = fc.record({
  globals: fc.array(fc.tuple(name, fc.option(value, { nil: undefined })), { maxLength: 3 }),
  stages: fc.array(fc.record({ base: fc.nat(5), lines: fc.array(line, { maxLength: 5 }) }), {
    minLength: 1,
    maxLength: 6,
  }),
  given: fc.dictionary(name, fc.constantFrom('g', ''), { maxKeys: 2 }),
})
type File = typeof file extends fc.Arbitrary<infer T> ? T : never

const written = (v: Value) => ('text' in v ? v.text : `$${v.of}`)
/** Stage i starts from an earlier one, or from nothing. */
const baseOf = (i: number, base: number) => (base < i ? base : undefined)

function print({ globals, stages }: File): string {
  const assign = (n: string, v: Value | undefined) => (v === undefined ? n : `${n}="${written(v)}"`)
  return [
    ...globals.map(([n, v]) => `ARG ${assign(n, v)}`),
    ...stages.flatMap(({ base, lines }, i) => {
      const from = baseOf(i, base)
      return [
        `FROM ${from === undefined ? 'scratch' : `s${from}`} AS s${i}`,
        ...lines.map((l) => `${l.kind} ${assign(l.name, l.value)}`),
      ]
    }),
    `LABEL ${names.map((n) => `${n}="\${${n}-unset}"`).join(' ')}`,
  ].join('\n')
}

/** What the last stage's variables are. */
function model({ globals, stages, given }: File): Record<string, string> {
  const evaluate = (v: Value, scope: ReadonlyMap<string, string>) => ('text' in v ? v.text : (scope.get(v.of) ?? ''))
  const own = new Map(Object.entries(given))
  const global = new Map<string, string>()
  for (const [n, v] of globals) {
    const result = own.get(n) ?? (v && evaluate(v, global))
    if (result !== undefined) global.set(n, result)
  }
  const done: { readonly scope: Map<string, string>; readonly image: Map<string, string> }[] = []
  for (const [i, { base, lines }] of stages.entries()) {
    const from = baseOf(i, base)
    const image = new Map(from === undefined ? [] : done[from]!.image)
    const scope = new Map([...(from === undefined ? [] : done[from]!.scope), ...image])
    for (const l of lines) {
      if (l.kind === 'ENV') {
        const result = evaluate(l.value, scope)
        scope.set(l.name, result)
        image.set(l.name, result)
      } else {
        const result = own.get(l.name) ?? (l.value === undefined ? global.get(l.name) : evaluate(l.value, scope))
        if (result !== undefined) scope.set(l.name, result)
      }
    }
    done.push({ scope, image })
  }
  const { scope } = done.at(-1)!
  return Object.fromEntries(names.map((n) => [n, scope.get(n) ?? 'unset']))
}

it('ARG and ENV count where a plain model says so, in builds and in checks', async () => {
  await fc.assert(
    fc.asyncProperty(file, async (random) => {
      const buildArgs = new Map(Object.entries(random.given))
      const world = testWorld({
        buildArgs,
        allStages: false,
        resolveImage: async () => expect.unreachable('all stages start from scratch'),
      })
      const stages = await resolveIn(world, parseText(print(random)))
      const { image } = planBuild(stages, testPlanOptions())
      const expected = model(random)
      expect(image.config?.Labels).toEqual(expected)
      const facts = await lintStages(stages, { report: () => {} }, world.ignored)
      expect(facts.error).toBeUndefined()
    }),
    { numRuns: 1000 },
  )
})
