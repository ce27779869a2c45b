import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
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

  it.each([
    ['--filter', 'since=1h'],
    ['--filter', 'until=x'],
    ['--keep-storage', 'x'],
  ])('refuse %s %s', async (...flags) => {
    expect(await run('prune', ...flags)).toMatchObject({ code: 2, stdout: '' })
  })
})
