/** `tsbuild explain`: what it says is what was changed. Builds of files alone, which take no worker. */
import { chmod, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { zstdDecompressSync } from 'node:zlib'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openWorkspace, type Workspace } from '../support/workspace.ts'

let place: Workspace
let context: string

const dockerfile = (dest = '/app/') => `
  FROM scratch AS files
  COPY src /src/
  FROM scratch
  WORKDIR /app
  COPY --from=files /src/1 ${dest}
  COPY late /late`

beforeAll(async () => {
  place = await openWorkspace()
  const sources = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`src/${i}`, `${i}`]))
  context = await place.files({ Dockerfile: dockerfile(), late: 'l', ...sources })
})
afterAll(() => place[Symbol.asyncDispose]())

const build = (...args: string[]) => place.must(['--progress=plain', ...args, context])
const explained = async (...args: string[]) => (await place.must(['explain', ...args])).stdout
const steps = async () =>
  (JSON.parse(await explained('--format=json')) as { steps: { step: string; cause: object; from?: string }[] }).steps

it('says that there is nothing to compare, and that nothing ran', async () => {
  await build()
  expect((await steps()).map(({ cause }) => cause)).toEqual(Array.from({ length: 4 }, () => ({ kind: 'first-build' })))
  await build()
  expect(await explained()).toBe('Nothing was built again: 4 steps came from the cache.\n')
})

it('names the file that changed, and how', async () => {
  await writeFile(`${context}/src/7`, 'changed')
  const { stderr } = await build('--explain')
  expect(stderr).toMatch(/^#\d+ because src\/7 changed: [0-9a-f]{12} → [0-9a-f]{12} \(of 21 files\)$/m)
  expect(await steps()).toMatchObject([
    {
      step: '[files 1/1] COPY src /src/',
      at: { file: 'Dockerfile', line: 3 },
      cause: { kind: 'files', changes: [{ path: 'src/7', change: 'content' }], changed: 1 },
    },
  ])
  await chmod(`${context}/src/3`, 0o755)
  await rm(`${context}/src/9`)
  await writeFile(`${context}/src/new`, '')
  await build()
  expect(await steps()).toMatchObject([
    {
      cause: {
        changes: [
          { path: 'src/3', change: 'mode', before: '644', after: '755' },
          { path: 'src/new', change: 'added' },
          { path: 'src/9', change: 'removed' },
        ],
        changed: 3,
      },
    },
  ])
})

it('follows a change through stages', async () => {
  await writeFile(`${context}/src/1`, 'one')
  await build()
  expect(await steps()).toMatchObject([
    { step: '[files 1/1] COPY src /src/', cause: { kind: 'files' } },
    {
      step: expect.stringContaining('COPY --from=files'),
      cause: { kind: 'files', source: 'the build context' },
      from: '[files 1/1] COPY src /src/',
    },
    { step: expect.stringContaining('COPY late'), from: '[files 1/1] COPY src /src/' },
  ])
  expect(await explained()).toContain('so these ran as well:\n    ')
})

it('tells a new text, a step that is new, --no-cache and what was pruned', async () => {
  await writeFile(`${context}/Dockerfile`, dockerfile('/other/'))
  await build()
  expect((await steps())[0]).toMatchObject({
    cause: { kind: 'instruction', before: 'COPY --from=files /src/1 /app/', after: 'COPY --from=files /src/1 /other/' },
  })
  await build('--no-cache-filter', 'files')
  expect(await steps()).toMatchObject([{ step: '[files 1/1] COPY src /src/', cause: { kind: 'no-cache' } }])
  await rm(place.join('state/records/step'), { recursive: true })
  await build()
  expect((await steps()).map(({ cause }) => cause)).toContainEqual({ kind: 'not-kept' })
})

it('is about the build that is named', async () => {
  await build('--target', 'files')
  expect(await explained('--target', 'files', context)).toBe('Nothing was built again: 1 step came from the cache.\n')
  expect(await explained(context)).not.toContain('1 step')
  const { code, stderr } = await place.run(['explain', '--target', 'x', context])
  expect([code, stderr]).toMatchObject([1, expect.stringContaining('no such build is remembered')])
})

it('compares files by where they go, not by what their directories are called', async () => {
  const text = (from: string) => `
    FROM scratch AS files
    COPY ${from} /moved/
    FROM scratch
    COPY --from=files /moved /`
  const moved = await place.files({
    Dockerfile: text('a'),
    'a/one': '1',
    'a/two': '2',
    'b/one': '1',
    'b/two': 'changed',
  })
  await place.must(['--progress=plain', moved])
  await writeFile(`${moved}/Dockerfile`, text('b'))
  await place.must(['--progress=plain', moved])
  await writeFile(`${moved}/b/one`, 'changed')
  await place.must(['--progress=plain', moved])
  expect(await steps()).toMatchObject([
    { step: expect.stringContaining('COPY b'), cause: { changes: [{ path: 'b/one', change: 'content' }], changed: 1 } },
    { from: expect.stringContaining('COPY b') },
  ])
  await writeFile(`${moved}/Dockerfile`, text('a'))
  await writeFile(`${moved}/a/one`, 'changed')
  await writeFile(`${moved}/a/two`, 'changed')
  await place.must(['--progress=plain', moved])
  await writeFile(`${moved}/a/two`, 'again')
  await place.must(['--progress=plain', moved])
  expect(await steps()).toMatchObject([
    { cause: { changes: [{ path: 'a/two', change: 'content' }], changed: 1 } },
    { from: expect.stringContaining('COPY a') },
  ])
})

it('neither shows nor keeps what looks secret, wherever the Dockerfile puts it', async () => {
  const secret = await place.files({
    Dockerfile: [
      'FROM scratch',
      'ARG API_TOKEN',
      'ARG INDEX',
      'COPY <<EOF /npmrc',
      '_authToken=$API_TOKEN $INDEX',
      'EOF',
      'WORKDIR /app/$API_TOKEN',
    ].join('\n'),
  })
  for (const n of [1, 2]) {
    const args = [
      '--build-arg',
      `API_TOKEN=first-secret-${n}`,
      '--build-arg',
      `INDEX=https://user:second-secret-${n}@h/`,
    ]
    await place.must(['--progress=plain', ...args, secret])
  }
  const text = await explained()
  expect(text).toContain('because data was ')
  expect(text).toContain('_authToken=<hidden>')
  expect(text).not.toContain('-secret-')
  for (const format of ['text', 'json']) expect(await explained('--format', format)).not.toContain('-secret-')
  const root = place.join('state/records/builds')
  for (const name of await readdir(root)) {
    const { value } = JSON.parse((await readFile(join(root, name), 'utf8')).split('\n')[1]!) as {
      value: { builds?: string[] }
    }
    for (const packed of value.builds ?? [])
      expect(zstdDecompressSync(Buffer.from(packed, 'base64')).toString()).not.toContain('-secret-')
  }
})
