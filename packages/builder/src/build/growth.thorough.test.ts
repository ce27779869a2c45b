/**
 * Large builds: ten times the steps may cost the main process at most twelve times the work, when they are done and when
 * all of them come from the cache. CPU time of this process is compared with itself, never with a clock.
 */
import { describe, expect, it } from 'vitest'
import { planText } from '../calls/growth.test-support.ts'
import { IdleBuilds } from './growth.test-support.ts'

const many = (n: number, line: (i: number) => string) => Array.from({ length: n }, (_, i) => line(i)).join('\n')
const lines = (line: (i: number) => string) => (n: number) => `FROM busybox\n${many(n, line)}\n`

const kinds: readonly (readonly [name: string, text: (n: number) => string])[] = [
  ['COPY', lines((i) => `COPY a /b${i}`)],
  ['COPY --link', lines((i) => `COPY --link a /b${i}`)],
  ['RUN', lines((i) => `RUN a${i}`)],
  ['WORKDIR', lines((i) => `WORKDIR /a${i}`)],
  [
    'a stage from all',
    (n) =>
      `${many(n, (i) => `FROM scratch AS a${i}\nCOPY a /a${i}`)}\nFROM scratch\n${many(n, (i) => `COPY --from=a${i} /a /b${i}`)}`,
  ],
  [
    'stages from stages',
    (n) => `FROM busybox AS a0\n${many(n, (i) => `FROM scratch AS a${i + 1}\nCOPY --from=a${i} /a /a${i}`)}`,
  ],
]

type Costs = { readonly made: number; readonly cached: number }

async function costs(text: string): Promise<Costs> {
  const plan = await planText(text)
  using builds = new IdleBuilds()
  const cost = async () => {
    const before = process.cpuUsage()
    await builds.build(plan)
    const { user, system } = process.cpuUsage(before)
    return user + system
  }
  return { made: await cost(), cached: await cost() }
}

function least(all: readonly Costs[]): Costs {
  return { made: Math.min(...all.map(({ made }) => made)), cached: Math.min(...all.map(({ cached }) => cached)) }
}

/** The mean of as many as make up a large one: collecting garbage is a part of the work, which small ones may escape. */
async function mean(text: string): Promise<Costs> {
  let [made, cached] = [0, 0]
  for (let i = 0; i < 10; i++) {
    const one = await costs(text)
    made += one.made / 10
    cached += one.cached / 10
  }
  return { made, cached }
}

/** Microseconds: what is too little to be measured counts as so much. */
const unit = 10_000

const ratios = (after: Costs, before: Costs): Costs => ({
  made: after.made / Math.max(before.made, unit),
  cached: after.cached / Math.max(before.cached, unit),
})

/** What grows faster does so each time; what the machine adds to one attempt, or takes from its measure, does not. */
const ATTEMPTS = 5

describe('building grows with the steps', () => {
  for (const [name, text] of kinds) {
    it(name, { timeout: 600_000 }, async () => {
      await costs(text(50))
      const seen: Costs[] = []
      for (let i = 0; i < ATTEMPTS && !(least(seen).made <= 12 && least(seen).cached <= 12); i++)
        seen.push(ratios(await costs(text(500)), await mean(text(50))))
      expect(least(seen).made, 'made').toBeLessThanOrEqual(12)
      expect(least(seen).cached, 'cached').toBeLessThanOrEqual(12)
    })
  }
})

it('a graph may be as deep as a Dockerfile is long', { timeout: 600_000 }, async () => {
  using builds = new IdleBuilds()
  const events = await builds.build(await planText(lines((i) => `RUN a${i}`)(5000)))
  expect(events.filter(({ type }) => type === 'done')).toHaveLength(5000)
})
