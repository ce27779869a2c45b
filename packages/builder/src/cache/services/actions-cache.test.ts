/** The service that our client is tested with, tested by GitHub's own client. */
import { execFile } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { temporaryDirectory } from '../backends/temporary.test-support.ts'
import { actionsToken, startActions } from './actions-server.test-support.ts'

/** Saves a file, and restores it by the beginning of its key after it was deleted. */
const PROGRAM = `
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
const { restoreCache, saveCache } = await import(process.argv[2])
writeFileSync('file', 'kept '.repeat(1000))
if ((await restoreCache(['file'], 'key-1')) !== undefined) throw new Error('there was something')
await saveCache(['file'], 'key-1')
rmSync('file')
const found = await restoreCache(['file'], 'key-2', ['key-'])
console.log('RESULT', found, readFileSync('file', 'utf8').length)
`

it('GitHub’s own client takes our service of tests for GitHub’s', async () => {
  await using directory = await temporaryDirectory()
  const actions = await startActions()
  await using _ = actions.server
  const [work, temporary] = [join(directory.path, 'work'), join(directory.path, 'temporary')]
  await mkdir(work)
  await mkdir(temporary)
  const program = join(directory.path, 'program.mjs')
  await writeFile(program, PROGRAM)
  const client = import.meta.resolve('@actions/cache')
  const { stdout } = await promisify(execFile)(process.execPath, [program, client], {
    cwd: work,
    env: {
      PATH: process.env.PATH,
      HOME: directory.path,
      TMPDIR: temporary,
      RUNNER_TEMP: temporary,
      GITHUB_WORKSPACE: work,
      ACTIONS_CACHE_SERVICE_V2: 'true',
      ACTIONS_RESULTS_URL: `${actions.server.origin}/`,
      ACTIONS_RUNTIME_TOKEN: actionsToken({ 'refs/heads/main': 3 }),
    },
  })
  expect(stdout).toContain('RESULT key-1 5000')
  expect(actions.entries).toMatchObject([{ key: 'key-1', finished: true }])
})
