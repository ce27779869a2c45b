/** What the store gets rid of: the files of cache mounts, and what automatic collection takes after a build. */
import { existsSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest'
import { processesOf } from '../support/leftovers.ts'
import { until } from '../support/process.ts'
import { gate } from '../support/tools.ts'
import { openWorkspace, type Workspace } from '../support/workspace.ts'

const needs = gate('docker-registry', 'busybox')

let place: Workspace
beforeEach(async () => {
  place = await openWorkspace()
})
afterEach(() => place[Symbol.asyncDispose]())

const built = async (dockerfile: string, ...args: string[]) =>
  await place.must(['--progress=plain', '-f', '-', ...args, await place.files({})], { stdin: dockerfile })

describe.skipIf(needs.skip)(`cache mounts${needs.note}`, () => {
  const dockerfile = (mount: string, command: string) =>
    `FROM ${inject('registry')}/busybox\nRUN --mount=type=cache,id=things,target=/c${mount} ${command}\n`
  const MOUNTS = ['--filter', 'type=exec.cachemount']

  it('are shown and deleted', async () => {
    await built(dockerfile('', 'echo kept > /c/f'))
    expect((await place.must(['du', ...MOUNTS, '--format', '{{.Description}} {{.Mutable}}'])).stdout).toBe(
      'things true\n',
    )
    expect((await place.must(['prune', ...MOUNTS, '--format', '{{.Kind}}'])).stdout).toBe('mount\n')
    expect((await place.must(['du', ...MOUNTS, '-v'])).stdout).toBe('')
    expect((await built(dockerfile('', 'ls -A /c | wc -l'))).stderr).toMatch(/ 0$/m)
  })

  it('stay while a RUN has them mounted', async () => {
    const running = place.start(['--progress=plain', '-f', '-', await place.files({})], {
      stdin: dockerfile('', 'echo kept > /c/f; echo mounted; until [ -e /c/go ]; do sleep 0.1; done; cat /c/f'),
    })
    await until('the RUN', async () => / mounted$/m.test(running.stderr()))
    expect((await place.must(['prune', '--all', '--format', '{{.Kind}}'])).stdout).not.toContain('mount')
    await built(dockerfile('', 'touch /c/go'))
    expect(await running.finished).toMatchObject({ code: 0, stderr: expect.stringMatching(/ kept$/m) })
  })
})

describe('automatic collection', () => {
  const dockerfile = 'FROM scratch\nCOPY <<EOF /f\nx\nEOF\n'
  const left = async () => JSON.parse((await place.must(['du', '--format', 'json'])).stdout) as { total: number }

  it('follows a build that leaves too much, in a process of its own', async () => {
    const stdin = dockerfile
    const args = ['-q', '-f', '-', await place.files({})]
    await place.must([...args, '-t', 'kept'], { stdin })
    expect((await left()).total).toBeGreaterThan(0)
    await place.must(args, { stdin: `${dockerfile}LABEL a=b\n`, env: { TSBUILD_GC: 'interval=0s,max-used-space=1' } })
    await until('the collection', async () => {
      const { stdout } = await place.must(['du', '--filter', 'private', '--format', '{{.ID}}'])
      return stdout === '' && processesOf(place.root).length === 0
    })
    expect((await place.must(['images', '--format', '{{.Repository}}'])).stdout).toBe('kept\n')
    expect((await place.must(['save', '-o', place.join('kept.tar'), 'kept'])).code).toBe(0)
  })

  it('does not come after every build, and not when it is off', async () => {
    const args = ['-q', '-f', '-', await place.files({})]
    for (const TSBUILD_GC of ['max-used-space=1', 'off'])
      for (let i = 0; i < 2; i++) await place.must(args, { stdin: dockerfile, env: { TSBUILD_GC } })
    expect(processesOf(place.root)).toEqual([])
    expect((await left()).total).toBeGreaterThan(0)
    expect(existsSync(`${place.root}/collected`)).toBe(true)
  })

  it('says what of its configuration it does not understand', async () => {
    const args = ['--progress=plain', '-f', '-', await place.files({})]
    const { code, stderr } = await place.run(args, { stdin: dockerfile, env: { TSBUILD_GC: 'often' } })
    expect([code, stderr]).toEqual([0, expect.stringContaining('WARNING: the store is not collected: TSBUILD_GC')])
  })
})
