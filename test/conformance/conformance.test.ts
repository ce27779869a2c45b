/** The corpus of builds with golden results of the reference builder. */
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, it } from 'vitest'
import { debianRootfs } from '../support/base-images.ts'
import { command, judge, knownFailures, runSuite } from '../support/corpus.ts'
import { must } from '../support/process.ts'
import { startRegistry } from '../support/registry.ts'
import { tempDirectory } from '../support/temp.ts'
import { gate, shared, toolPath } from '../support/tools.ts'

/** So many cases pass at least: the number is raised when more do. */
const FLOOR = 430

const needs = gate('root', 'shared', 'docker-registry', 'busybox', 'debootstrap')

it.skipIf(needs.skip)(`the corpus passes but for the known failures in docs/compat.md${needs.note}`, async () => {
  await using registry = await startRegistry()
  await using place = await tempDirectory()
  // The script makes Debian's root filesystem unless it finds it in its work directory.
  const bases = dirname(await debianRootfs())
  await must('cp', ['-a', '--reflink=auto', `${bases}/debian`, place.join('debian')])
  await must('sh', [join(shared, 'conformance/make-base-images.sh'), registry.host, place.path], {
    env: { ...process.env, PATH: toolPath, REUSE: '1' },
    timeout: 250_000,
  })
  const results = place.join('results.json')
  const flags = ['--registry', registry.host, '--jobs', '2', '--json', results]
  const env = { TSBUILD_ROOT: place.join('state'), HOME: place.join('home'), TMPDIR: place.join('tmp') }
  await must('mkdir', [env.HOME, env.TMPDIR])
  const { stdout, stderr } = await runSuite('conformance/run.mjs', ['--cmd', command, ...flags], env)
  console.log(stdout, stderr)

  const grades = JSON.parse(readFileSync(results, 'utf8')) as Record<string, { grade: 'pass' | 'fail' | 'skip' }>
  const { passed, broken, mended } = judge(
    new Map(Object.entries(grades).map(([name, { grade }]) => [name, grade])),
    knownFailures('Conformance'),
  )
  expect(broken, 'cases that fail and are not known to').toEqual([])
  expect(mended, 'cases that docs/compat.md says fail, and pass').toEqual([])
  expect(passed).toBeGreaterThanOrEqual(FLOOR)
})
