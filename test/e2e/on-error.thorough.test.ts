import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { chown } from 'node:fs/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest'
import { mountsOf, pathsBelow, processesOf } from '../support/leftovers.ts'
import { type Finished, must } from '../support/process.ts'
import { gate } from '../support/tools.ts'
import { type UserWorkspace, userCases } from '../support/users.ts'
import type { TsbuildOptions } from '../support/workspace.ts'

const DOCKERFILE = (base: string) => `FROM ${base} AS base
WORKDIR /src
ENV KIND=unit
RUN echo made > made
FROM base AS test
USER user:staff
RUN --mount=type=secret,id=token,env=TOKEN --mount=type=cache,target=/cache,mode=0777 \\
    mkdir -p /tmp/reports && echo failed > /tmp/reports/result.xml && echo cached > /cache/entry && echo $TOKEN | wc -c && exit 3
FROM test
RUN echo never
`

const KEPT = /^hint: look at what it left with: tsbuild debug (failed-[0-9a-f]{8})$/m

describe.each(userCases('docker-registry', 'busybox'))('after a failed RUN, $title', ({ skip, ordinary, open }) => {
  // What is decided before a RUN, or has no files of it, is the same for all.
  const once = skip || ordinary
  let opened: UserWorkspace
  let context: string
  /** A directory that the user may write to. */
  let results: string
  beforeAll(async () => {
    if (!skip) opened = await open()
  })
  afterAll(() => opened?.[Symbol.asyncDispose]())
  beforeEach(async () => {
    if (skip) return
    const { place, options } = opened
    context = await place.files({ Dockerfile: DOCKERFILE(`${inject('registry')}/busybox`) })
    results = await place.files({}, `results-${randomUUID()}`)
    if (options.uid !== undefined) await chown(results, options.uid, options.gid!)
  })
  afterEach(async () => {
    if (skip) return
    const { root, tmp } = opened.place
    expect(processesOf(root)).toEqual([])
    expect(mountsOf(root)).toEqual([])
    expect([...pathsBelow(tmp), ...pathsBelow(`${root}/tmp`), ...pathsBelow(`${root}/leases`)]).toEqual([])
  })

  const tsbuild = (args: readonly string[], options: TsbuildOptions = {}): Promise<Finished> =>
    opened.place.run(args, { ...opened.options, ...options })
  const snapshots = (): string[] => pathsBelow(`${opened.place.root}/snapshots`, (path) => /\/failed-[^/]*$/.test(path))

  it.skipIf(skip)('keeps its root filesystem for tsbuild debug until prune', async () => {
    const secret = ['--secret', 'id=token,env=TOKEN']
    const built = await tsbuild(['--progress=plain', '--on-error', 'keep', ...secret, context], {
      env: { TOKEN: 'abc' },
    })
    expect(built.code).toBe(1)
    expect(built.stderr).toMatch(/exit code: 3$/m)
    const name = KEPT.exec(built.stderr)?.[1] ?? ''
    expect(name).not.toBe('')

    const list = JSON.parse((await tsbuild(['debug', '--format=json'])).stdout)
    expect(list).toMatchObject([{ name, step: expect.stringContaining('[test 1/1] RUN'), failed: expect.any(Number) }])

    const script =
      'pwd; echo $KIND; id -un; id -gn; cat made /tmp/reports/result.xml /cache/entry; echo -$TOKEN-; exit 5'
    const entered = await tsbuild(['debug', name, 'sh', '-c', script])
    expect(entered).toMatchObject({ code: 5, stderr: '' })
    expect(entered.stdout.split('\n')).toEqual(['/src', 'unit', 'user', 'staff', 'made', 'failed', 'cached', '--', ''])

    // Without a command: the shell of the RUN, here with its commands on stdin. What it changes is thrown away.
    const shell = await tsbuild(['debug', 'failed'], { stdin: 'rm -r /tmp/reports && ls /tmp | wc -l\n' })
    expect(shell).toMatchObject({ code: 0, stdout: '0\n' })
    expect((await tsbuild(['debug', name, 'ls', '/tmp'])).stdout).toBe('reports\n')

    expect(snapshots()).toHaveLength(1)
    await opened.place.must(['prune'], opened.options)
    expect(snapshots()).toEqual([])
    expect(await tsbuild(['debug'])).toMatchObject({ code: 0, stdout: '' })
    expect(await tsbuild(['debug', name])).toMatchObject({ code: 125 })
  })

  it.skipIf(skip)('keeps it when the program cannot be started, too', async () => {
    const broken = await opened.place.files(
      {
        Dockerfile: `FROM ${inject('registry')}/busybox\nWORKDIR /app\nRUN echo built > serve\nRUN ["./serve", "now"]\n`,
      },
      `broken-${randomUUID()}`,
    )
    const built = await tsbuild(['--progress=plain', '--on-error', 'keep', '--run-retries=1', broken])
    expect(built.code).toBe(1)
    expect(built.stderr).toContain('exec: "./serve": permission denied')
    const name = KEPT.exec(built.stderr)?.[1] ?? ''
    expect(await tsbuild(['debug', name, 'sh', '-c', 'pwd; cat serve'])).toMatchObject({
      code: 0,
      stdout: '/app\nbuilt\n',
    })
    // Its own shell cannot be what has just failed.
    expect(await tsbuild(['debug', name], { stdin: 'ls\n' })).toMatchObject({ code: 0, stdout: 'serve\n' })

    const output = ['--output-on-failure', `type=local,dest=${results}/out,src=/app`]
    expect(await tsbuild([...output, broken])).toMatchObject({ code: 1 })
    expect(readFileSync(`${results}/out/serve`, 'utf8')).toBe('built\n')
    await opened.place.must(['prune'], opened.options)
    expect(snapshots()).toEqual([])
  })

  it.skipIf(once)('leaves nothing of attempts that were not the last', async () => {
    const context = await opened.place.files(
      {
        Dockerfile: `FROM ${inject('registry')}/busybox\nRUN --mount=type=cache,target=/c echo x >> /c/n && cp /c/n / && exit 3\n`,
      },
      `again-${randomUUID()}`,
    )
    const built = await tsbuild(['--progress=plain', '--on-error', 'keep', '--run-retries=2', context])
    expect(built.stderr).toContain('attempt 2 of 3')
    expect(snapshots()).toHaveLength(1)
    const name = KEPT.exec(built.stderr)?.[1] ?? ''
    expect((await tsbuild(['debug', name, 'cat', '/n'])).stdout).toBe('x\nx\nx\n')
    await opened.place.must(['prune'], opened.options)
  })

  it.skipIf(skip)('saves its files', async () => {
    const { place } = opened
    const output = ['--output-on-failure', `type=local,dest=${results}/out,src=/tmp/reports,stage=test`]
    const built = await tsbuild(['--progress=plain', '-o', place.join('image'), ...output, context])
    expect(built.code).toBe(1)
    expect(built.stderr).not.toMatch(KEPT)
    expect(pathsBelow(results).sort()).toEqual(['out', 'out/result.xml'])
    expect(readFileSync(`${results}/out/result.xml`, 'utf8')).toBe('failed\n')
    expect(pathsBelow(place.join('image'))).toEqual([])
    expect(snapshots()).toEqual([])

    const tar = await tsbuild(['--output-on-failure', `type=tar,dest=${results}/out.tar`, context])
    expect(tar.code).toBe(1)
    const names = await must('tar', ['-tf', `${results}/out.tar`])
    for (const path of ['src/made', 'tmp/reports/result.xml', 'bin/busybox']) expect(names).toContain(`${path}\n`)
  })

  it.skipIf(once)('saves nothing of another stage, nor of a build that succeeds', async () => {
    const output = ['--output-on-failure', `type=local,dest=${results}/out,stage=base`]
    expect(await tsbuild([...output, context])).toMatchObject({ code: 1 })
    expect(await tsbuild([...output, '--target=base', context])).toMatchObject({ code: 0 })
    expect(pathsBelow(results)).toEqual([])
    const missing = await tsbuild([
      '--progress=plain',
      '--output-on-failure',
      `type=local,dest=${results}/out,src=/none`,
      context,
    ])
    expect(missing.code).toBe(1)
    expect(missing.stderr).toContain('the files of the failed step could not be saved')
    expect(missing.stderr).toContain('exit code: 3')
  })

  it.skipIf(once)('refuses what cannot be, before anything runs', async () => {
    const shell = await tsbuild(['--on-error', 'shell', context])
    expect(shell).toMatchObject({ code: 2 })
    expect(shell.stderr).toMatch(/^ERROR: --on-error shell needs a terminal\nhint: .*tsbuild debug/)
    for (const output of ['type=oci,dest=x', 'type=local', 'type=local,dest=x,stage=nope', 'type=tar,dest=x,foo=y'])
      expect(await tsbuild(['--output-on-failure', output, context]), output).toMatchObject({ code: 2 })
  })

  const terminal = gate('script')
  it.skipIf(skip || terminal.skip)(`opens a shell in it${terminal.note}`, async () => {
    const secret = ['--secret', 'id=token,env=TOKEN']
    const commands = 'stty size && pwd; id -un; cat /tmp/reports/result.xml; echo "-$TOKEN-"; touch x; exit\n'
    const built = await opened.place.terminal(['--on-error', 'shell', ...secret, context], {
      ...opened.options,
      env: { TOKEN: 'abc', TERM: 'dumb' },
      stdin: commands,
    })
    const screen = built.stdout.replaceAll('\r', '')
    expect(screen).toMatch(/^\d+ \d+\n\/src\nuser\nfailed\n-abc-\n/m)
    expect(screen).toMatch(/ERROR: failed to solve: .*exit code: 3\n$/)
    expect(built.code).toBe(1)
    expect(snapshots()).toEqual([])
  })
})
