import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { pathsBelow } from '../support/leftovers.ts'
import { run } from '../support/process.ts'
import { gate, repository } from '../support/tools.ts'
import { type UserWorkspace, userCases } from '../support/users.ts'

interface Report {
  readonly works: boolean
  readonly level: string
  readonly why: string
  readonly raise: string | null
  readonly findings: readonly { readonly name: string; readonly status: string; readonly found: string }[]
}

describe.each(userCases('unshare'))('tsbuild doctor, $title', ({ skip, ordinary, open }) => {
  let opened: UserWorkspace
  beforeAll(async () => {
    if (!skip) opened = await open()
  })
  afterAll(() => opened?.[Symbol.asyncDispose]())

  it.skipIf(skip)('says what a real attempt came to, in both forms, and leaves nothing', async () => {
    const { place, options } = opened
    const result = await place.run(['doctor', '--format=json'], options)
    const report = JSON.parse(result.stdout) as Report
    expect(result.code).toBe(report.works ? 0 : 1)
    expect(report.works).toBe(report.level !== 'none')
    expect(report.why).not.toBe('')
    if (ordinary) expect(report.level).toBe('namespaces')
    const text = await place.run(['doctor'], options)
    expect(text.stderr).toBe('')
    expect(text.stdout).toContain(`isolation of RUN   ${report.works ? `${report.level}: ` : ''}`)
    for (const { name, status } of report.findings) expect(text.stdout).toContain(`${status.padEnd(8)} ${name}`)
    for (const name of ['tmp', 'leases']) expect(pathsBelow(`${place.root}/${name}`)).toEqual([])
    expect(pathsBelow(place.tmp)).toEqual([])
  })

  it.skipIf(skip)('says that a level cannot be had', async () => {
    const { place, options } = opened
    const result = await place.run(['doctor', '--isolation=oci', '--oci-runtime=/no/runtime'], options)
    expect(result.code).toBe(1)
    expect(result.stdout).toMatch(/^missing +isolation of RUN +RUN does not work: .*\/no\/runtime is not installed$/m)
  })
})

const root = gate('root', 'setpriv')
it.skipIf(root.skip)(`finds chroot where nothing may be mounted${root.note}`, async () => {
  await using opened = await userCases()[0]!.open()
  const { place } = opened
  const program = [process.execPath, `${repository}/packages/cli/src/main.ts`, 'doctor', '--format=json']
  const weak = ['--bounding-set=-sys_admin', '--inh-caps=-sys_admin']
  const env = { PATH: process.env.PATH, HOME: place.home, TMPDIR: place.tmp, TSBUILD_ROOT: place.root }
  const result = await run('setpriv', [...weak, ...program], { env })
  expect(result.code).toBe(0)
  const report = JSON.parse(result.stdout) as Report
  expect(report).toMatchObject({ works: true, level: 'chroot', raise: expect.stringContaining('SYS_ADMIN') })
  expect(report.why).toMatch(/chroot only.*may not mount/)
})
