import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { hardLimits, ULIMIT_NUMBERS, ulimitCeilings, ulimitProblem } from './ulimits.ts'

const ceilings = new Map([
  [7, 20_000],
  [13, 0],
])

it.each([
  ['nofile', -1, -1, 'ulimit nofile=-1:-1 is above what this machine permits'],
  ['nofile', 100, 20_001, 'ulimit nofile=100:20001 is above what this machine permits'],
  ['nofile', 15, 100, 'ulimit nofile=15:100: no process can be started with fewer than 16 open files'],
  ['nice', 1, 1, 'ulimit nice=1:1 is above what this machine permits'],
  ['core', -1, 5, 'ulimit soft limit must be less than or equal to hard limit: -1 > 5'],
  ['toString', 1, 1, 'invalid ulimit type: toString'],
])('%s=%d:%d is refused', (name, soft, hard, problem) => {
  expect(
    ulimitProblem(
      [
        { name: 'core', soft: 0, hard: 0 },
        { name, soft, hard },
      ],
      ceilings,
    )?.problem,
  ).toBe(problem)
})

it.each([
  ['nofile', 16, 20_000],
  ['nice', 0, 0],
  ['core', -1, -1],
  ['cpu', 1, -1],
  ['data', 0, 0],
])('%s=%d:%d is taken', (name, soft, hard) => {
  expect(ulimitProblem([{ name, soft, hard }], ceilings)).toBeUndefined()
})

it('knows the name that was meant, and what there can be at most', () => {
  expect(ulimitProblem([{ name: 'nofiles', soft: 1, hard: 1 }], ceilings)?.hint).toBe('did you mean nofile?')
  expect(ulimitProblem([{ name: 'nofile', soft: 99, hard: -1 }], ceilings)?.hint).toMatch(/ 20000 /)
})

it('reads the list of the kernel', () => {
  const listed = new Map(hardLimits(readFileSync('/proc/self/limits', 'latin1')))
  expect(listed.get(ULIMIT_NUMBERS.get('nofile')!)).toBeGreaterThanOrEqual(16)
  expect(hardLimits('Limit  Soft Limit  Hard Limit  Units\nMax cpu time   unlimited   60    seconds\n')).toEqual([
    [0, 60],
  ])
  expect(ulimitCeilings().get(ULIMIT_NUMBERS.get('nofile')!)).toBeGreaterThan(0)
})
