import { readFileSync, writeFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { errorCatalog, errorsDocument } from './error-catalog.ts'

const DOCUMENT = new URL('../../../../docs/errors.md', import.meta.url)

it('gives every error a code of its own, in capitals, and an explanation', () => {
  const definitions = errorCatalog().flatMap((chapter) => chapter.errors)
  const seen = new Map<string, number>()
  for (const { code } of definitions) seen.set(code, (seen.get(code) ?? 0) + 1)
  expect([...seen].filter(([, times]) => times > 1)).toEqual([])
  expect(definitions.filter(({ code, doc }) => !/^[A-Z][A-Z0-9_]+$/.test(code) || !/[.…)]$/.test(doc.trim()))).toEqual(
    [],
  )
})

it('keeps docs/errors.md current', () => {
  if (process.env.UPDATE_DOCS) writeFileSync(DOCUMENT, errorsDocument())
  expect(readFileSync(DOCUMENT, 'utf8')).toBe(errorsDocument())
})
