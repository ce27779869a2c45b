import { readFile } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { cliDocs } from './cli-docs.ts'
import { kanikoDocs } from './kaniko-docs.ts'

const docs = (name: string): Promise<string> => readFile(new URL(`../../../../docs/${name}`, import.meta.url), 'utf8')

it('docs/cli.md is current (else: node packages/cli/src/tools/write-docs.ts)', async () => {
  expect(await docs('cli.md')).toBe(await cliDocs())
})

it('docs/migrate-kaniko.md is current (else: node packages/cli/src/tools/write-docs.ts)', async () => {
  expect(await docs('migrate-kaniko.md')).toBe(kanikoDocs())
})
