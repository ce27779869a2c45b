import { readFile, writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import type { Finished } from '../support/process.ts'
import { builtDigest, ranSteps, stepStates } from '../support/progress.ts'
import { gate, toolPath, which } from '../support/tools.ts'
import { openWorkspace, type Workspace } from '../support/workspace.ts'

const needs = gate('docker-registry', 'busybox')

describe.skipIf(needs.skip)(`the cache of steps${needs.note}`, () => {
  const dockerfile = (late = 'RUN env > /last') => `
    FROM ${inject('registry')}/busybox AS base
    ARG VERSION=1
    COPY a.txt /a/
    RUN cat /a/a.txt > /copied
    ARG LATE=early
    RUN env | sort > /late
    COPY b.txt /b/
    ${late}

    FROM base AS unused
    RUN exit 7

    FROM base
    ENV KEY=value`
  const COPY_A = 'COPY a.txt /a/'
  const RUN_A = 'RUN cat /a/a.txt > /copied'
  const RUN_LATE = 'RUN env | sort > /late'
  const COPY_B = 'COPY b.txt /b/'
  const RUN_LAST = 'RUN env > /last'
  const all = [COPY_A, RUN_A, RUN_LATE, COPY_B, RUN_LAST]

  let place: Workspace
  let context: string
  let first: Finished

  /** A worker is started by `unshare`: this one, which keeps count. */
  const starts = async (): Promise<number> =>
    (await readFile(place.join('starts'), 'utf8').catch(() => '')).split('\n').length - 1
  const build = (...args: string[]): Promise<Finished> =>
    place.must(['--progress=plain', ...args, context], { env: { PATH: `${place.join('shim')}:${toolPath}` } })

  beforeAll(async () => {
    place = await openWorkspace()
    const shim = `#!/bin/sh\necho >> ${place.join('starts')}\nexec ${which('unshare')} "$@"\n`
    await place.files({ unshare: { text: shim, mode: 0o755 } }, 'shim')
    context = await place.files({ Dockerfile: dockerfile(), 'a.txt': 'a', 'b.txt': 'b', 'c.txt': 'c' })
    first = await build('-t', 'first')
  })
  afterAll(() => place[Symbol.asyncDispose]())

  it('the first build runs every step of the stages it needs', async () => {
    expect(ranSteps(first.stderr).filter((step) => !step.startsWith('FROM'))).toEqual(all)
    expect(await starts()).toBeGreaterThan(0)
  })

  it('an unchanged build runs nothing, starts no worker and gives the same digest', async () => {
    const before = await starts()
    const again = await build('-t', 'second')
    const states = stepStates(again.stderr)
    expect(all.map((step) => states.get(step))).toEqual(all.map(() => 'CACHED'))
    expect(again.stderr).toContain('all cached')
    expect(await starts()).toBe(before)
    expect(builtDigest(again.stderr)).toBe(builtDigest(first.stderr))
  })

  const cases: [string, string[], () => Promise<unknown>, string[]][] = [
    ['a file of the context that no instruction takes', [], () => writeFile(`${context}/c.txt`, 'other'), []],
    ['new times of a file', [], () => writeFile(`${context}/b.txt`, 'b'), []],
    ['a file that COPY takes', [], () => writeFile(`${context}/b.txt`, 'B'), [COPY_B, RUN_LAST]],
    [
      'an ARG that is declared in the middle',
      ['--build-arg', 'LATE=now'],
      async () => {},
      [RUN_LATE, COPY_B, RUN_LAST],
    ],
    [
      'an ARG that RUN sees first',
      ['--build-arg', 'VERSION=2', '--build-arg', 'LATE=now'],
      async () => {},
      [RUN_A, RUN_LATE, COPY_B, RUN_LAST],
    ],
    ['a build argument that nothing declares', ['--build-arg', 'OTHER=1'], async () => {}, []],
    [
      'another instruction',
      [],
      () => writeFile(`${context}/Dockerfile`, dockerfile('RUN echo changed > /last')),
      ['RUN echo changed > /last'],
    ],
    [
      'going back to what was built first',
      [],
      async () => {
        await writeFile(`${context}/Dockerfile`, dockerfile())
        await writeFile(`${context}/b.txt`, 'b')
      },
      [],
    ],
    ['--no-cache', ['--no-cache'], async () => {}, all],
    ['--no-cache-filter of another stage', ['--no-cache-filter', 'unused'], async () => {}, []],
  ]
  it.each(cases)('%s', async (_title, args, change, expected) => {
    await change()
    const { stderr } = await build(...args)
    expect(ranSteps(stderr).filter((step) => !step.startsWith('FROM'))).toEqual(expected)
  })
})
