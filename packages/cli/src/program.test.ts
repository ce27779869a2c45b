import { hash } from 'node:crypto'
import { cpSync, mkdirSync, mkdtempSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'

let dir: string
const source = (): string => join(dir, 'src/main.ts')

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'tsbuild-program-'))
  cpSync(join(import.meta.dirname, '../bin'), join(dir, 'bin'), { recursive: true })
  for (const name of ['src', 'dist']) mkdirSync(join(dir, name))
  writeFileSync(source(), 'one')
  const { size, mtimeMs } = statSync(source())
  writeFileSync(join(dir, 'dist/sources.json'), JSON.stringify([['src/main.ts', size, mtimeMs, hash('sha256', 'one')]]))
})

afterAll(() => rmSync(dir, { recursive: true }))

function programFile(): string {
  const program = createRequire(import.meta.url)(join(dir, 'bin/program.js')) as { programFile(): string }
  return program.programFile().slice(dir.length + 1)
}

it('is the bundle as long as it was made of the sources as they are', () => {
  expect(programFile()).toBe('dist/main.cjs')
  utimesSync(source(), 1, 1)
  expect(programFile()).toBe('dist/main.cjs')
  writeFileSync(source(), 'two')
  expect(programFile()).toBe('src/main.ts')
  writeFileSync(source(), 'one')
  expect(programFile()).toBe('dist/main.cjs')
  writeFileSync(join(dir, 'dist/sources.json'), '[["src/gone.ts",1,1,""]]')
  expect(programFile()).toBe('src/main.ts')
  // As it is installed.
  rmSync(join(dir, 'src'), { recursive: true })
  expect(programFile()).toBe('dist/main.cjs')
})
