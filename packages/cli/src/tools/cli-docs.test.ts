import { readFile } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { cliDocs } from './cli-docs.ts'

it('docs/cli.md is current (else: node packages/cli/src/tools/write-docs.ts)', async () => {
  expect(await readFile(new URL('../../../../docs/cli.md', import.meta.url), 'utf8')).toBe(await cliDocs())
})
