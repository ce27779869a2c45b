import { describe, expect, it } from 'vitest'
import { scanDockerfile } from '../dockerfile/scan.ts'
import { BuildError } from '../errors.ts'
import { SourceFile } from '../source.ts'
import { parseDockerfile, parseTrigger } from './parse.ts'

const parse = (text: string) => parseDockerfile(scanDockerfile(new SourceFile('Dockerfile', text)))
const failure = (work: () => unknown): BuildError => {
  try {
    work()
  } catch (error) {
    if (error instanceof BuildError) return error
    throw error
  }
  throw new Error('it did not fail')
}

describe('parseDockerfile', () => {
  it('cuts a file into global arguments and stages', () => {
    const { globalArgs, stages } = parse('ARG a\narg b=c d\nFROM x AS One\nRUN y\nFROM z\nARG e')
    expect(globalArgs.map((arg) => arg.args)).toEqual([
      [{ key: 'a', value: undefined }],
      [
        { key: 'b', value: 'c' },
        { key: 'd', value: undefined },
      ],
    ])
    expect(
      stages.map(({ index, from, instructions }) => [index, from.stageName, instructions.map((i) => i.kind)]),
    ).toEqual([
      [0, 'one', ['RUN']],
      [1, undefined, ['ARG']],
    ])
  })

  it('accepts a file of arguments alone', () => {
    expect(parse('ARG a').stages).toEqual([])
  })

  it.each<[string, string, string]>([
    ['FROM a\nBADCMD x', 'INSTRUCTION_UNKNOWN', 'dockerfile parse error on line 2: unknown instruction: BADCMD'],
    [
      'FROM a\n\nRUM x',
      'INSTRUCTION_UNKNOWN',
      'dockerfile parse error on line 3: unknown instruction: RUM (did you mean RUN?)',
    ],
    [
      'FORM a',
      'INSTRUCTION_UNKNOWN',
      'dockerfile parse error on line 1: unknown instruction: FORM (did you mean FROM?)',
    ],
    [
      'form a',
      'INSTRUCTION_UNKNOWN',
      'dockerfile parse error on line 1: unknown instruction: form (did you mean from?)',
    ],
    ['RUN a', 'INSTRUCTION_BEFORE_FROM', 'no build stage in current context'],
    ['ARG a\nENV b=c', 'INSTRUCTION_BEFORE_FROM', 'no build stage in current context'],
  ])('refuses %j', (text, code, message) => {
    const error = failure(() => parse(text))
    expect(error).toMatchObject({ code, message })
    expect(error.at?.file.name).toBe('Dockerfile')
  })

  it('points at the flag that is wrong', () => {
    const error = failure(() => parse('FROM a\nCOPY --chown=b \\\n  --foo=c d e'))
    expect(error.message).toBe('dockerfile parse error on line 2: unknown flag: --foo (did you mean from?)')
    expect(error.at?.range).toMatchObject({ start: { line: 3, column: 2 }, end: { line: 3, column: 9 } })
    expect(error.hint).toContain('--chown')
  })
})

describe('parseTrigger', () => {
  it('reads one instruction with its heredocs', () => {
    const node = parseTrigger('COPY <<a <<b /x/\n1\na\n2\nb')
    expect(node).toMatchObject({ kind: 'COPY', contents: [{ content: '1\n' }, { content: '2\n' }], dest: '/x/' })
  })

  it.each([
    ['FROM x', "FROM isn't allowed as an ONBUILD trigger"],
    ['maintainer x', "MAINTAINER isn't allowed as an ONBUILD trigger"],
    ['ONBUILD RUN x', "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"],
    ['RUN a\nRUN b', 'onbuild trigger should be a single expression'],
    ['', 'onbuild trigger should be a single expression'],
    ['NONSENSE', 'unknown instruction: NONSENSE'],
    ['COPY a', 'COPY requires at least two arguments, but only one was provided. Destination could not be determined'],
  ])('refuses %j', (text, message) => {
    expect(failure(() => parseTrigger(text)).message).toBe(message)
  })

  it('reads what ONBUILD kept', () => {
    const { stages } = parse('FROM a\nonbuild  RUN <<-E  x\n\tb\n\tE\nRUN c')
    const [onbuild] = stages[0]!.instructions
    if (onbuild?.kind !== 'ONBUILD') throw new Error('no ONBUILD')
    expect(onbuild.expression).toBe('RUN <<-E  x\n\tb\nE')
    expect(parseTrigger(onbuild.expression)).toMatchObject({
      command: { text: '<<-E  x', heredocs: [{ content: 'b\n' }] },
    })
  })
})
