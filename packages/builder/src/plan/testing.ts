/** For tests: the options of a plan. */
import type { PlanOptions } from './context.ts'

export function testPlanOptions(changes: Partial<PlanOptions> = {}): PlanOptions {
  return {
    implicitPlatform: true,
    multiPlatform: false,
    labels: {},
    noCache: new Set(),
    network: 'default',
    allow: new Set(),
    extraHosts: [],
    shmSize: undefined,
    ulimits: [],
    hostname: undefined,
    undated: false,
    pins: undefined,
    ...changes,
  }
}
