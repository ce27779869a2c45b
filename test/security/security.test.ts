/** Attacks on paths, contexts and the isolation of RUN. */
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { command, judge, knownFailures, runSuite } from '../support/corpus.ts'
import { tempDirectory } from '../support/temp.ts'
import { gate } from '../support/tools.ts'

const CLASSES = ['paths', 'context', 'run']
/** So many attacks are held off at least: the number is raised when more are. */
const FLOOR = 46

const needs = gate('root', 'shared', 'busybox', 'git')

it.skipIf(needs.skip)(`attacks of ${CLASSES.join(', ')} are held off${needs.note}`, async () => {
  await using place = await tempDirectory()
  const results = place.join('results.json')
  const args = [
    '--tool',
    'tsbuild',
    '--filter',
    `^(${CLASSES.join('|')})$`,
    '--work',
    place.join('work'),
    '--json',
    results,
  ]
  const env = { TSBUILD_CMD: `${command} build`, TSBUILD_PRUNE: `${command} prune -af`, SEC_TIMEOUT_X: '2' }
  const { stdout, stderr } = await runSuite('security/run.mjs', args, env)
  console.log(stdout, stderr)

  const tests = JSON.parse(readFileSync(results, 'utf8')) as { name: string; status: 'pass' | 'fail' | 'skip' }[]
  const { passed, broken, mended } = judge(
    new Map(tests.map(({ name, status }) => [name, status])),
    knownFailures('Security'),
  )
  expect(broken, 'attacks that succeed and are not known to').toEqual([])
  expect(mended, 'attacks that docs/compat.md says succeed, and do not').toEqual([])
  expect(passed).toBeGreaterThanOrEqual(FLOOR)
})
