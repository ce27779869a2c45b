/**
 * Runs at most so many tasks at a time, in the order they were asked for.
 */

/** Runs a task when there is room. */
export type Limit = <T>(task: () => Promise<T>) => Promise<T>

/** @param concurrency tasks at a time, at least 1 */
export function limiter(concurrency: number): Limit {
  const waiting: (() => void)[] = []
  let running = 0
  return async (task) => {
    if (running >= Math.max(1, concurrency)) await new Promise<void>((resolve) => waiting.push(resolve))
    else running++
    try {
      return await task()
    } finally {
      const next = waiting.shift()
      if (next === undefined) running--
      else next()
    }
  }
}
