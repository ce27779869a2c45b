import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { openStore } from '../store/index.ts'
import { check, outline, targets } from './calls.ts'

let dir: string
let root: string

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tsbuild-calls-'))
  root = join(dir, 'root')
  await openStore(root)
})

afterEach(() => rm(dir, { recursive: true }))

/** Root may write whatever the modes say, so what has to be made stands in its own way. */
async function forbidWriting(): Promise<void> {
  for (const name of ['leases', 'alive', 'records', 'tmp', 'locks', 'gate.lock']) {
    await rm(join(root, name), { recursive: true, force: true })
    if (name === 'gate.lock') await mkdir(join(root, name))
    else await writeFile(join(root, name), '')
  }
}

it('answers questions about a Dockerfile with a store that cannot be written', async () => {
  await forbidWriting()
  const before = await readdir(dir, { recursive: true })
  const options = { root, context: dir, dockerfileText: 'FROM scratch AS one\nCOPY x /\n', env: {} }
  expect((await check(options)).warnings).toEqual([])
  expect((await outline(options)).text).toContain('one')
  expect((await targets(options)).text).toContain('one')
  expect(await readdir(dir, { recursive: true })).toEqual(before)
})
