/** Our ranges against those of dockerfile-ast, which editors use: wherever both see an instruction, they see it at the same place. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DockerfileParser } from 'dockerfile-ast'
import { expect, it } from 'vitest'
import { BuildError } from '../errors.ts'
import { SourceFile } from '../source.ts'
import { scanDockerfile } from './scan.ts'

const CASES = join(import.meta.dirname, '../../../../../shared/conformance/cases')

const OWN = [
  '# escape=`\nFROM a\nRUN one `\n  two\n\nCOPY --from=x  a  b\n',
  'FROM a AS b\n# comment\nENV A=1 \\\n  # inside\n  B=2\nLABEL x="y z"\n',
  'ARG v\r\nFROM a:$v\r\n  CMD ["x"]\r\n',
  'FROM a\nRUN <<EOF\nFROM nothing\nEOF\nUSER me\n',
]

function corpus(): string[] {
  if (!existsSync(CASES)) return []
  const files = readdirSync(CASES).map((name) => join(CASES, name, 'Dockerfile.in'))
  return files.filter((file) => existsSync(file)).map((file) => readFileSync(file, 'utf8'))
}

/** `KEYWORD line:column` of each instruction; undefined where our scanner refuses the file. */
function ours(text: string): string[] | undefined {
  try {
    return scanDockerfile(new SourceFile('Dockerfile', text)).instructions.map(
      ({ name, keywordRange: { start } }) => `${name} ${start.line}:${start.column}`,
    )
  } catch (error) {
    if (error instanceof BuildError) return undefined
    throw error
  }
}

function theirs(text: string): string[] {
  return DockerfileParser.parse(text)
    .getInstructions()
    .map((instruction) => {
      const { start } = instruction.getInstructionRange()
      return `${instruction.getKeyword()} ${start.line + 1}:${start.character}`
    })
}

it('puts instructions where dockerfile-ast puts them', () => {
  for (const text of OWN) expect(ours(text)).toEqual(theirs(text))
})

it.skipIf(corpus().length === 0)(
  'agrees with it on nearly all Dockerfiles of the conformance cases (needs ../shared)',
  () => {
    const texts = corpus().filter((text) => ours(text) !== undefined)
    const agreed = texts.filter((text) => JSON.stringify(ours(text)) === JSON.stringify(theirs(text)))
    // It differs from the reference's grammar in corners: even numbers of escapes, blank continuation lines, `3<<EOF`.
    expect(agreed.length / texts.length).toBeGreaterThan(0.97)
  },
)
