import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { TestRegistry } from './testing/index.ts'
import { temporaryDirectory } from './testing/temporary.ts'

const run = promisify(execFile)
const text = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
const examples: { title: string; code: string }[] = []
let heading = ''
for (const [, title, code] of text.matchAll(/^## (.*?)$|^```ts\n(.*?)^```/gms)) {
  if (code === undefined) heading = title!
  else examples.push({ title: heading, code })
}

/** What some examples have to print. */
const printed: Readonly<Record<string, RegExp>> = {
  Copy: /\{ exists: 0, mounted: 2, uploaded: 0 \}/,
  Credentials: /not encrypted/,
  'Errors and events': /nosuch: not found 404/,
  Testing: /true\n1000000 5/,
}

describe('README', () => {
  it('has examples', () => expect(examples.length).toBeGreaterThan(5))

  it.for(examples)('$title', async ({ title, code }) => {
    await using registry = await TestRegistry.start(
      title === 'Credentials' ? { auth: { kind: 'basic', users: { me: 'secret' } } } : {},
    )
    registry.store.addImage('team/app', 'v1', [randomBytes(10_000)])
    await using folder = await temporaryDirectory()
    const program = code
      .replaceAll('registry.example.com', registry.host)
      .replaceAll(
        "'@tsbuild/registry-client/testing'",
        JSON.stringify(new URL('testing/index.ts', import.meta.url).href),
      )
      .replaceAll("'@tsbuild/registry-client'", JSON.stringify(new URL('index.ts', import.meta.url).href))
    await writeFile(join(folder.path, 'example.mts'), program)
    const { stdout } = await run(process.execPath, ['example.mts'], {
      cwd: folder.path,
      env: { HOME: folder.path, PATH: process.env.PATH },
    })
    expect(stdout).toMatch(printed[title] ?? /./)
  })
})
