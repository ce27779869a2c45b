/** `--progress=rawjson` and `--metadata-file`, as programs read them that were written for BuildKit. */
import { readFileSync } from 'node:fs'
import { describe, expect, inject, it } from 'vitest'
import { gate } from '../support/tools.ts'
import { openWorkspace } from '../support/workspace.ts'

const needs = gate('docker-registry', 'busybox')

interface Vertex {
  readonly digest: string
  readonly inputs?: readonly string[]
  readonly name: string
  readonly started?: string
  readonly completed?: string
  readonly cached?: boolean
  readonly error?: string
}

interface SolveStatus {
  readonly vertexes?: readonly Vertex[]
  readonly statuses?: readonly { readonly id: string; readonly vertex: string; readonly current: number }[]
  readonly logs?: readonly { readonly vertex: string; readonly stream: number; readonly data: string }[]
  readonly warnings?: readonly { readonly vertex: string; readonly short: string; readonly range?: object[] }[]
}

const lines = (stderr: string): SolveStatus[] =>
  stderr
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as SolveStatus)

describe.skipIf(needs.skip)(`rawjson${needs.note}`, () => {
  it('has digests, inputs, logs and warnings as BuildKit has them', async () => {
    await using place = await openWorkspace()
    const context = await place.files({
      Dockerfile: `
        FROM ${inject('registry')}/busybox as made
        COPY file /in
        RUN echo to stdout && echo to stderr >&2 && cp /in /out
        FROM scratch
        COPY --from=made /out /out`,
      file: 'content',
    })
    const build = async (...more: string[]) =>
      lines((await place.must(['--progress=rawjson', ...more, context])).stderr)
    const first = await build()
    const vertexes = new Map(first.flatMap((line) => line.vertexes ?? []).map((vertex) => [vertex.digest, vertex]))
    const named = (part: string): Vertex => {
      const found = [...vertexes.values()].filter(({ name }) => name.includes(part))
      expect(found, part).toHaveLength(1)
      return found[0]!
    }
    for (const { digest, inputs = [], started, completed } of vertexes.values()) {
      expect(digest).toMatch(/^sha256:[0-9a-f]{64}$/)
      expect(Date.parse(completed!)).toBeGreaterThanOrEqual(Date.parse(started!))
      for (const input of inputs) expect([...vertexes.keys()]).toContain(input)
    }
    const [base, copy, run, last] = [named('] FROM'), named('] COPY file'), named('] RUN'), named('COPY --from')]
    expect(copy.inputs).toEqual([base.digest, named('load build context').digest])
    expect(run.inputs).toEqual([copy.digest])
    expect(last.inputs).toEqual([run.digest])

    const logs = first.flatMap((line) => line.logs ?? [])
    expect(logs.map(({ vertex }) => vertex)).toEqual(logs.map(() => run.digest))
    const printed = (stream: number) =>
      logs.flatMap((log) => (log.stream === stream ? [Buffer.from(log.data, 'base64').toString()] : [])).join('')
    expect([printed(1), printed(2)]).toEqual(['to stdout\n', 'to stderr\n'])

    const warnings = first.flatMap((line) => line.warnings ?? [])
    expect(warnings.map(({ short }) => Buffer.from(short, 'base64').toString())).toEqual([
      expect.stringMatching(/^FromAsCasing: /),
    ])
    expect(warnings[0]).toMatchObject({ vertex: named('load build definition').digest, level: 1, range: [{}] })

    const again = (await build()).flatMap((line) => line.vertexes ?? [])
    for (const { digest } of [copy, run, last])
      expect(again.findLast((vertex) => vertex.digest === digest)).toMatchObject({ cached: true })
    const failed = await place.files({ Dockerfile: `FROM ${inject('registry')}/busybox\nRUN exit 3\n` }, 'failing')
    const { stderr } = await place.run(['--progress=rawjson', failed])
    expect(lines(stderr).flatMap((line) => line.vertexes ?? [])).toContainEqual(
      expect.objectContaining({
        name: expect.stringContaining('RUN exit 3'),
        error: expect.stringContaining('exit code: 3'),
      }),
    )
  })

  it('--metadata-file has the keys of buildx', async () => {
    await using place = await openWorkspace()
    const context = await place.files({ Dockerfile: 'FROM scratch as x\nCOPY file /\n', file: 'content' })
    const path = place.join('metadata.json')
    const metadata = async (env: Record<string, string> = {}) => {
      await place.must(['-t', 'app', '--metadata-file', path, context], { env })
      return JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>
    }
    const plain = await metadata()
    const digest = expect.stringMatching(/^sha256:[0-9a-f]{64}$/)
    expect(plain).toEqual({
      'buildx.build.ref': expect.stringMatching(/^tsbuild\/tsbuild\/[0-9a-z]{25}$/),
      'containerimage.config.digest': digest,
      'containerimage.descriptor': {
        mediaType: 'application/vnd.oci.image.manifest.v1+json',
        digest,
        size: expect.any(Number),
      },
      'containerimage.digest': digest,
      'image.name': 'docker.io/library/app:latest',
    })
    const noted = await metadata({ BUILDX_METADATA_WARNINGS: '1' })
    expect(noted['buildx.build.ref']).not.toBe(plain['buildx.build.ref'])
    expect(noted['buildx.build.warnings']).toEqual([
      expect.objectContaining({ level: 1, short: expect.any(String), range: expect.any(Array) }),
    ])
  })
})
