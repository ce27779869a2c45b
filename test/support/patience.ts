/**
 * How long to wait for what should happen, on the machine as it is: deadlines of tests only end what hangs, so on a machine
 * with more to do than it has processors they are later.
 */
import { availableParallelism, loadavg } from 'node:os'

/** Milliseconds on an idle machine → milliseconds now. */
export function patience(ms: number): number {
  const waiting = loadavg()[0]! / availableParallelism()
  return Math.round(ms * Math.max(1, 2 * waiting))
}
