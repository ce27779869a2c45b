import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { instructions, keywords } from '../instructions/index.ts'

const text = readFileSync(join(import.meta.dirname, '../../../../docs/dockerfile.md'), 'utf8')
const headings = text.split('\n').flatMap((line) => (line.startsWith('## ') ? line.slice(3).split(' and ') : []))

describe('docs/dockerfile.md', () => {
  it.each(keywords)('describes %s', (keyword) => {
    expect(headings).toContain(keyword)
  })

  it.each(keywords.flatMap((keyword) => Object.keys(instructions[keyword].flags ?? {}).map((flag) => [keyword, flag])))(
    'mentions %s --%s',
    (_keyword, flag) => {
      expect(text).toMatch(new RegExp(`--${flag}\\b`))
    },
  )
})
