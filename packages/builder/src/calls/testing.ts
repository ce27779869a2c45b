/** For tests: what files are checked with. */
import { planBuild } from '../plan/plan.ts'
import { testPlanOptions } from '../plan/testing.ts'
import { resolveIn, type TestWorld, testWorld } from '../stages/testing.ts'
import type { CheckWorld } from './check-file.ts'

export function checkWorld(overrides: Partial<TestWorld> = {}): CheckWorld {
  const world = testWorld(overrides)
  return {
    buildArgs: world.buildArgs,
    resolve: (parsed) => resolveIn(world, parsed),
    plan: (stages) => planBuild(stages, testPlanOptions()),
    ignored: world.ignored,
  }
}
