import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseUsageFilters } from '../flags/usage-filter.ts'
import { runMain } from './run.test-support.ts'

let dir: string
const run = (...argv: string[]) => runMain(argv, { HOME: dir, TSBUILD_ROOT: join(dir, 'root') }, dir)

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tsbuild-storage-'))
  await writeFile(join(dir, 'Dockerfile'), 'FROM scratch\nLABEL a=b\n')
})

afterAll(() => rm(dir, { recursive: true }))

interface UsageJson {
  readonly items: readonly { readonly kind: string }[]
  readonly total: number
}

describe('filters of docker buildx', () => {
  const now = 10 * 3_600_000
  it.each<[string[], ReturnType<typeof parseUsageFilters>]>([
    [[''], {}],
    [['until=2h'], { until: 8 * 3_600_000 }],
    [['unused-for=1h30m'], { until: 8.5 * 3_600_000 }],
    [['id=sha256:ab'], { filters: [{ key: 'id', operator: '~=', value: 'sha256:ab' }] }],
    [['id!=ab'], { filters: [{ key: 'id', operator: '!=', value: 'ab' }] }],
    [['ID==ab'], { filters: [{ key: 'id', operator: '~=', value: 'ab' }] }],
    [['type=exec.cachemount'], { filters: [{ key: 'type', operator: '=', value: 'exec.cachemount' }] }],
    [['description~=^a=b'], { filters: [{ key: 'description', operator: '~=', value: '^a=b' }] }],
    [['inuse'], { filters: [{ key: 'inuse', operator: 'true' }] }],
    [['shared=false'], { filters: [{ key: 'shared', operator: 'false' }] }],
    [['mutable!=true'], { filters: [{ key: 'mutable', operator: 'false' }] }],
    [
      ['private=', 'immutable=1'],
      {
        filters: [
          { key: 'private', operator: 'true' },
          { key: 'immutable', operator: 'true' },
        ],
      },
    ],
  ])('%j', (texts, expected) => expect(parseUsageFilters(texts, now)).toEqual(expected))
})

describe('du and prune', () => {
  it('show and free what builds leave behind', async () => {
    expect((await run('-q', '-t', 'named', dir)).code).toBe(0)
    expect((await run('du')).stdout).toMatch(/^KIND +COUNT +SIZE +RECLAIMABLE\nblobs .*\ntotal .*\n$/s)
    const before = JSON.parse((await run('du', '--format', 'json')).stdout) as UsageJson
    expect(before.items.some(({ kind }) => kind === 'blob')).toBe(true)
    expect((await run('du', '-v')).stdout.split('\n')).toHaveLength(before.items.length + 2)

    expect(await run('prune', '--dry-run', '-a')).toMatchObject({
      code: 0,
      stdout: '',
      stderr: expect.stringMatching(/^would free /),
    })
    expect(await run('prune', '-a', '--filter', 'until=1h')).toMatchObject({
      stderr: expect.stringMatching(/^freed 0B, /),
    })
    expect(await run('rmi', 'named')).toMatchObject({ code: 0 })
    const { stdout } = await run('prune', '-a', '--format=json')
    expect(JSON.parse(stdout)).toMatchObject({ left: 0 })
    expect(JSON.parse((await run('du', '--format', 'json')).stdout)).toMatchObject({ items: [], total: 0 })
  })

  it('show what is meant in the forms of docker buildx', async () => {
    expect((await run('-q', '-t', 'named', dir)).code).toBe(0)
    expect((await run('du', '--filter', 'shared', '--format', '{{.Shared}} {{.Reclaimable}}')).stdout).toMatch(
      /^(true false\n)+$/,
    )
    expect((await run('du', '--filter', 'type=source.local', '--format', 'json')).stdout).toContain('"total": 0')
    expect((await run('du', '--format', 'pretty')).stdout).toMatch(/^ID: .*\nCreated at: .*\nMutable: +false\n/)
    expect((await run('rmi', 'named')).code).toBe(0)
    const { stdout } = await run('prune', '--auto', '--max-used-space', '1', '--format', '{{.Type}}')
    expect(stdout).toMatch(/^((regular|internal)\n)+$/)
    expect((await run('prune', '--auto')).stderr).toMatch(/^freed 0B, 0B left/)
  })

  it.each([
    ['max-used-space=x', 'neither a size'],
    ['often', 'there is no "often"'],
    ['interval=soon', 'no time'],
  ])('refuse TSBUILD_GC=%s', async (value, problem) => {
    const env = { HOME: dir, TSBUILD_ROOT: join(dir, 'root'), TSBUILD_GC: value }
    expect(await runMain(['prune', '--auto'], env, dir)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(`TSBUILD_GC: `),
    })
    expect((await runMain(['prune', '--auto'], env, dir)).stderr).toContain(problem)
  })

  it.each([
    ['--filter', 'since=1h'],
    ['--filter', 'until=x'],
    ['--keep-storage', 'x'],
    ['--max-used-space', '10 apples'],
    ['--filter', 'type=regulr'],
    ['--filter', 'parents=x'],
    ['--filter', 'inuse~=x'],
    ['--filter', 'id'],
    ['--filter', 'id~=('],
    ['--filter', 'until!=1h'],
    ['--filter', 'id=a', '--filter', 'id=b'],
    ['--filter', 'until=1h', '--filter', 'unused-for=1h'],
    ['--auto', '--all'],
  ])('refuse %s %s', async (...flags) => {
    expect(await run('prune', ...flags)).toMatchObject({ code: 2, stdout: '' })
  })
})
