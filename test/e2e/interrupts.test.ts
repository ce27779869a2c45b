import { randomInt } from 'node:crypto'
import { chown, writeFile } from 'node:fs/promises'
import { describe, expect, inject, it } from 'vitest'
import { mountsOf, pathsBelow, processesOf } from '../support/leftovers.ts'
import { until } from '../support/process.ts'
import { gate } from '../support/tools.ts'
import { addUser, ordinaryCommand } from '../support/user.ts'
import { openWorkspace, type TsbuildOptions, type Workspace } from '../support/workspace.ts'

const needs = gate('docker-registry', 'busybox')
const asUser = gate('root', 'docker-registry', 'busybox', 'newuidmap', 'setpriv', 'useradd')

/** Starts a build that sleeps in RUN, gets to that point, and sends a signal to the main process. */
async function interrupt(place: Workspace, signal: NodeJS.Signals, options: TsbuildOptions = {}) {
  // A number that no other process has among its arguments.
  const seconds = `100.${randomInt(1e9)}`
  const context = await place.files({
    Dockerfile: `FROM ${inject('registry')}/busybox\nRUN sleep ${seconds} & echo sleeping; sleep ${seconds}\n`,
  })
  await place.files({ 'image.tar': 'earlier' }, 'out')
  if (options.uid !== undefined) await chown(place.join('out'), options.uid, options.gid!)
  const output = `type=oci,dest=${place.join('out/image.tar')}`
  const build = place.start(['--progress=plain', '-o', output, '--iidfile', place.join('out/iid'), context], options)
  await until('the step to run', () => /^#\d+ [\d.]+ sleeping/m.test(build.stderr()), 60_000)
  expect(processesOf(place.root, seconds).length).toBeGreaterThan(1)
  const sent = Date.now()
  build.child.kill(signal)
  const result = await build.finished
  return { ...result, seconds, context, took: Date.now() - sent }
}

function expectNothingLeft(place: Workspace, seconds: string): void {
  expect(processesOf(place.root, seconds)).toEqual([])
  expect(mountsOf(place.root)).toEqual([])
  expect(pathsBelow(place.tmp)).toEqual([])
  expect(pathsBelow(place.join('out'))).toEqual(['image.tar'])
}

/** State that belongs to a build under way: temporary files, active snapshots, leases, locks. */
const pending = (place: Workspace): string[] =>
  ['tmp', 'leases', 'locks'].flatMap((name) => pathsBelow(`${place.root}/${name}`).map((path) => `${name}/${path}`))

async function expectUsable(place: Workspace, context: string, options: TsbuildOptions): Promise<void> {
  await writeFile(`${context}/Dockerfile`, `FROM ${inject('registry')}/busybox\nRUN echo fine > /fine\n`)
  await place.must([context], options)
  await place.must(['prune'], options)
  expect(pending(place)).toEqual([])
}

const cases: [string, boolean][] = [
  [`as the user of the tests${needs.note}`, false],
  [`as an ordinary user${asUser.note}`, true],
]

describe.each(cases)('a build during RUN, %s', (_title, ordinary) => {
  const skip = ordinary ? asUser.skip : needs.skip

  async function withUser(test: (place: Workspace, options: TsbuildOptions) => Promise<void>): Promise<void> {
    await using resources = new AsyncDisposableStack()
    const place = resources.use(await openWorkspace())
    if (!ordinary) return await test(place, {})
    const user = resources.use(await addUser())
    const { options } = resources.use(await ordinaryCommand(user))
    for (const path of [place.path, place.home, place.tmp]) await chown(path, user.uid, user.gid)
    await test(place, options)
  }

  it.skipIf(skip)('ends at Ctrl-C with status 130 and leaves nothing', async () => {
    await withUser(async (place, options) => {
      const { code, stderr, stdout, seconds, context, took } = await interrupt(place, 'SIGINT', options)
      expect(code).toBe(130)
      expect(stdout).toBe('')
      expect(stderr).toMatch(/^ERROR: canceled$/m)
      expect(stderr).not.toContain('internal error')
      expect(took).toBeLessThan(10_000)
      expectNothingLeft(place, seconds)
      expect(pending(place)).toEqual([])
      await expectUsable(place, context, options)
    })
  })

  it.skipIf(skip)('killed by SIGKILL leaves no process and no mount, and the next one sweeps its files', async () => {
    await withUser(async (place, options) => {
      const { signal, seconds, context } = await interrupt(place, 'SIGKILL', options)
      expect(signal).toBe('SIGKILL')
      await until('all processes to end', () => processesOf(place.root, seconds).length === 0, 5_000)
      expectNothingLeft(place, seconds)
      await expectUsable(place, context, options)
    })
  })
})
