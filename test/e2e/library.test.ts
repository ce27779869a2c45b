import { mkdir, readdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { BuildError, build, type ProgressEvent } from '@tsbuild/builder'
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest'
import { readLayoutArchive } from '../support/image-layout.ts'
import { processesOf } from '../support/leftovers.ts'
import { must } from '../support/process.ts'
import { gate, repository } from '../support/tools.ts'
import { openWorkspace, type Workspace } from '../support/workspace.ts'

const needs = gate('docker-registry', 'busybox')

describe('build()', () => {
  let place: Workspace
  let env: Record<string, string | undefined>
  beforeEach(async () => {
    place = await openWorkspace()
    env = { PATH: process.env.PATH, HOME: place.home, TSBUILD_ROOT: place.root }
  })
  afterEach(() => place[Symbol.asyncDispose]())

  it('returns what it built and reports it in order', async () => {
    const context = await place.files({ 'a.txt': 'a' })
    const events: ProgressEvent[] = []
    const before = { cwd: process.cwd(), env: { ...process.env }, umask: process.umask() }
    const result = await build({
      context,
      dockerfileText: 'FROM scratch\nARG NAME\nLABEL name=$NAME\nCOPY a.txt /\nCMD ["/a.txt"]\n',
      buildArgs: { NAME: 'library' },
      tags: ['app:1'],
      platforms: ['linux/amd64'],
      outputs: [{ type: 'oci', attrs: { dest: place.join('image.tar') } }],
      onProgress: (event) => events.push(event),
      env,
    })
    const { index, images } = await readLayoutArchive(place.join('image.tar'), place.join('image'))
    expect(result.digest).toBe(index.digest)
    expect(result.descriptor).toMatchObject({ digest: index.digest, size: index.size })
    expect(result.platforms[0]!.layers.map((layer) => layer.digest)).toEqual(images[0]!.layers.map((l) => l.digest))
    expect(images[0]!.config.config.Labels).toEqual({ name: 'library' })
    expect(result.outputs).toMatchObject([{ type: 'oci', dest: place.join('image.tar') }])
    expect(result.steps.cached).toBe(0)

    const open = new Set<string>()
    for (const event of events) {
      if (event.type === 'started') open.add(event.vertex.id)
      else if (event.type !== 'warning') expect(open).toContain(event.id)
      if (event.type === 'done' || event.type === 'cached') open.delete(event.id)
    }
    expect(open.size).toBe(0)
    expect({ cwd: process.cwd(), env: { ...process.env }, umask: process.umask() }).toEqual(before)
  })

  it('throws a BuildError with code, place and hint', async () => {
    const failure = await build({ context: place.path, dockerfileText: 'FROM scratch\nCOPY nothing /\n', env }).catch(
      (error: unknown) => error,
    )
    expect(failure).toBeInstanceOf(BuildError)
    const { code, at, message } = failure as BuildError
    expect(code).toMatch(/^[A-Z_]+$/)
    expect(message).toContain('"/nothing": not found')
    expect(at?.range.start.line).toBe(2)
  })

  it.skipIf(needs.skip)(`ends when its signal is aborted, with everything it started${needs.note}`, async () => {
    const stop = new AbortController()
    const text = `FROM ${inject('registry')}/busybox\nRUN echo started; sleep 100\n`
    const began = Date.now()
    const failure = await build({
      context: place.path,
      dockerfileText: text,
      signal: stop.signal,
      onProgress: (event) => {
        if (event.type === 'log') stop.abort(new Error('enough'))
      },
      env,
    }).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(BuildError)
    expect((failure as BuildError).code).toBe('CANCELLED')
    expect(Date.now() - began).toBeLessThan(20_000)
    expect(processesOf(place.root)).toEqual([])

    const again = build({ context: place.path, dockerfileText: text, signal: AbortSignal.abort(), env })
    await expect(again).rejects.toMatchObject({ code: 'CANCELLED' })
  })

  it.skipIf(needs.skip)(`two builds at once share one store${needs.note}`, async () => {
    const one = (n: number) =>
      build({
        context: place.path,
        dockerfileText: `FROM ${inject('registry')}/busybox\nRUN sleep 1; echo same > /same\nRUN echo ${n} > /number\n`,
        tags: [`app:${n}`],
        env,
      })
    const results = await Promise.all([one(1), one(2)])
    expect(results[0]!.digest).not.toBe(results[1]!.digest)
    // Both ran the common step, and one of them had the last word.
    await one(1)
    const again = await one(1)
    expect(again.steps.cached).toBe(again.steps.total)
  })

  it.skipIf(needs.skip)(`goes by the directory of its call, wherever the process goes then${needs.note}`, async () => {
    await place.files({
      'context/file': '1',
      'named/file': '2',
      'files/Dockerfile': [
        `FROM ${inject('registry')}/busybox AS run`,
        'COPY file /1',
        'COPY --from=named file /2',
        'RUN --mount=type=secret,id=s test "$(cat /1 /2 /run/secrets/s)" = 123',
        'FROM scratch',
        'COPY --from=run /1 /2 /',
      ].join('\n'),
      'files/secret': '3',
      'elsewhere/file': 'wrong',
      'build.mts': `
        import { chdir } from 'node:process'
        import { build } from '@tsbuild/builder'

        const call = build({
          context: 'context',
          dockerfile: 'files/Dockerfile',
          buildContexts: { named: './named' },
          secrets: [{ id: 's', src: 'files/secret' }],
          dockerConfig: 'config',
          root: 'state',
          tags: ['app:1'],
          outputs: [
            { type: 'oci', attrs: { dest: 'image.tar' } },
            { type: 'local', attrs: { dest: 'out/files' } },
            { type: 'image', attrs: {} },
          ],
          outputOnFailure: { type: 'local', attrs: { dest: 'failed' } },
          onProgress: () => chdir('/'),
        })
        chdir('elsewhere')
        const { outputs } = await call
        console.log(JSON.stringify(outputs.map(({ dest }) => dest)))
      `,
    })
    const cwd = place.join('context')
    await mkdir(join(cwd, 'node_modules'))
    await symlink(join(repository, 'node_modules/@tsbuild'), join(cwd, 'node_modules/@tsbuild'))
    const stdout = await must(process.execPath, ['build.mts'], { cwd, env: { PATH: env.PATH, HOME: place.home } })
    expect(JSON.parse(stdout)).toEqual([join(cwd, 'image.tar'), join(cwd, 'out/files'), null])
    expect((await readdir(join(cwd, 'out/files'))).sort()).toEqual(['1', '2'])
    expect(await readdir(join(cwd, 'elsewhere'))).toEqual(['file'])
    expect(await readdir(cwd)).toEqual(expect.arrayContaining(['image.tar', 'state']))
  })

  it.skipIf(needs.skip)(`a secret may be asked for when RUN needs it${needs.note}`, async () => {
    let asked = 0
    const run = () =>
      build({
        context: place.path,
        dockerfileText: `FROM ${inject('registry')}/busybox\nRUN --mount=type=secret,id=t,env=T test "$T" = from-a-vault\n`,
        secrets: [
          {
            id: 't',
            get: async () => {
              asked++
              return 'from-a-vault'
            },
          },
        ],
        env,
      })
    await run()
    await run()
    expect(asked).toBe(1)
  })
})
