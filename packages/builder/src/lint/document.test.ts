import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { checksDocument } from './document.ts'

const file = join(import.meta.dirname, '../../../../docs/checks.md')

/** `UPDATE_DOCS=1 vitest run …` writes the file. */
it('docs/checks.md is what the rules say', () => {
  if (process.env.UPDATE_DOCS) writeFileSync(file, checksDocument())
  expect(readFileSync(file, 'utf8')).toBe(checksDocument())
})
