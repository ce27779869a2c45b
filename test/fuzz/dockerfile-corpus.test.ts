import { createReadStream, existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { scanDockerfile } from '../../packages/builder/src/dockerfile/scan.ts'
import { BuildError } from '../../packages/builder/src/errors.ts'
import { parseDockerfile } from '../../packages/builder/src/instructions/parse.ts'
import { TarReader } from '../../packages/builder/src/layer/tar-reader.ts'
import { SourceFile } from '../../packages/builder/src/source.ts'
import { shared } from '../support/tools.ts'

const folder = join(shared, 'conformance/cases')
const cases = existsSync(folder) ? readdirSync(folder) : []

/** The Dockerfile of a case: beside the context, or in it; undefined if it is a link. */
async function dockerfileOf(name: string): Promise<string | undefined> {
  const template = join(folder, name, 'Dockerfile.in')
  if (existsSync(template)) return readFileSync(template, 'utf8').replaceAll('@REGISTRY@', 'registry.example.com')
  const { dockerfile = 'Dockerfile' } = JSON.parse(readFileSync(join(folder, name, 'case.json'), 'utf8'))
  const reader = new TarReader(createReadStream(join(folder, name, 'context.tar')))
  for (let entry = await reader.next(); entry; entry = await reader.next()) {
    if (entry.path.replace(/^\.\//, '') !== dockerfile) continue
    if (entry.type !== 'file') return undefined
    const chunks: Uint8Array[] = []
    for (let chunk = await reader.read(); chunk; chunk = await reader.read()) chunks.push(Uint8Array.from(chunk))
    return Buffer.concat(chunks).toString()
  }
  return undefined
}

/** The part of a golden error that comes from parsing; planning has the others (test/corpus). */
const parseProblem = /(dockerfile parse error on line .*)/

describe.skipIf(cases.length === 0)('Dockerfiles of the conformance cases (needs ../shared)', () => {
  it('parse, or fail in the words of the reference', async () => {
    let parsed = 0
    for (const name of cases) {
      const text = await dockerfileOf(name)
      if (text === undefined) continue
      const golden = JSON.parse(readFileSync(join(folder, name, 'golden.json'), 'utf8'))
      const expected = parseProblem.exec(golden.error ?? golden.call?.buildError?.message ?? '')?.[0]
      let actual: string | undefined
      try {
        parseDockerfile(scanDockerfile(new SourceFile(name, text)))
        parsed++
      } catch (error) {
        if (!(error instanceof BuildError)) throw error
        actual = error.message
      }
      expect([name, actual]).toEqual([name, expected])
    }
    expect(parsed).toBeGreaterThan(cases.length * 0.9)
  })
})
