// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of Dockerfiles
import { describe, expect, it } from 'vitest'
import { SourceFile } from '../source.ts'
import type { TestWorld } from '../stages/testing.ts'
import { checkErrorText, checkExitCode, checkText } from './check.ts'
import { checkFile } from './check-file.ts'
import { checkSarif } from './sarif.ts'
import { checkWorld } from './testing.ts'

const lines = (...list: readonly string[]): string => `${list.join('\n')}\n`
const check = (text: string, overrides: Partial<TestWorld> = {}) =>
  checkFile(new SourceFile('/src/app/Dockerfile', text), checkWorld(overrides))

/** One range per line. */
const linesOf = (...numbers: readonly number[]) => ({
  ranges: numbers.map((line) => ({ start: { line }, end: { line } })),
})

describe('checkFile', () => {
  it('has nothing to say about a good file', async () => {
    const { report } = await check('FROM scratch\n')
    expect(report.json).toEqual({
      warnings: [],
      sources: [
        { filename: 'Dockerfile', language: 'Dockerfile', data: Buffer.from('FROM scratch\n').toString('base64') },
      ],
    })
    expect(report.failed).toBe(false)
    expect(checkExitCode(report)).toBe(0)
    expect(checkText(report)).toBe('Check complete, no warnings found.\n')
    expect(checkErrorText(report)).toBe('')
  })

  it('gives every line of a circle', async () => {
    const text = lines('FROM scratch AS a', 'COPY --from=b / /', 'ENV a=b', 'FROM scratch AS b', 'COPY --from=a / /')
    const { report } = await check(text)
    const message = 'circular dependency detected on stage: a'
    expect(report.json.buildError).toEqual({ message, location: linesOf(2, 5) })
    expect(checkErrorText(report)).toBe(
      lines(
        message,
        '/src/app/Dockerfile:2',
        '--------------------',
        '   1 |     FROM scratch AS a',
        '   2 | >>> COPY --from=b / /',
        '   3 |     ENV a=b',
        '   4 |     FROM scratch AS b',
        '   5 | >>> COPY --from=a / /',
        '--------------------',
      ),
    )
  })

  it('shows findings by place', async () => {
    const { report } = await check(
      lines('FROM scratch', 'COPY index.js .', '', 'CMD node \\', '  index.js', 'ENV a b', ''),
    )
    expect(checkExitCode(report)).toBe(1)
    expect(checkText(report)).toBe(
      lines(
        'Check complete, 2 warnings have been found!',
        '',
        'WARNING: JSONArgsRecommended - https://docs.docker.com/go/dockerfile/rule/json-args-recommended/',
        'JSON arguments recommended for CMD to prevent unintended behavior related to OS signals',
        '/src/app/Dockerfile:4',
        '--------------------',
        '   3 |',
        '   4 | >>> CMD node \\',
        '   5 | >>>   index.js',
        '   6 |     ENV a b',
        '--------------------',
        '',
        'WARNING: LegacyKeyValueFormat - https://docs.docker.com/go/dockerfile/rule/legacy-key-value-format/',
        '"ENV key=value" should be used instead of legacy "ENV key value" format',
        '/src/app/Dockerfile:6',
        '--------------------',
        '   4 |     CMD node \\',
        '   5 |       index.js',
        '   6 | >>> ENV a b',
        '   7 |',
        '--------------------',
      ),
    )
    expect(report.json.warnings[0]?.location).toEqual(linesOf(4, 5))
  })

  it('reports what stands above a line that cannot be parsed', async () => {
    const { report, stages } = await check(
      lines('', 'FROM scratch AS BadStageName', 'MAINTAINER me@example.org', 'BADCMD', 'MAINTAINER x'),
    )
    expect(report.json.warnings.map(({ ruleName, location }) => [ruleName, location?.ranges[0]?.start.line])).toEqual([
      ['StageNameCasing', 2],
      ['MaintainerDeprecated', 3],
    ])
    expect(report.json.buildError).toEqual({
      message: 'dockerfile parse error on line 4: unknown instruction: BADCMD',
      location: { ranges: [{ start: { line: 4 }, end: { line: 4 } }] },
    })
    expect(stages).toBeUndefined()
    expect(report.failed).toBe(false)
    expect(checkErrorText(report)).toBe(
      lines(
        'dockerfile parse error on line 4: unknown instruction: BADCMD',
        '/src/app/Dockerfile:4',
        '--------------------',
        '   2 |     FROM scratch AS BadStageName',
        '   3 |     MAINTAINER me@example.org',
        '   4 | >>> BADCMD',
        '   5 |     MAINTAINER x',
        '--------------------',
      ),
    )
  })

  it('an error in an instruction of several lines has all its lines', async () => {
    const { report } = await check(lines('FROM scratch', 'COPY --none \\', '  a \\', '  /'))
    expect(report.json.buildError?.location).toEqual(linesOf(2, 3, 4))
  })

  it.each([
    ['a file without instructions', '# nothing\n', 'file with no instructions'],
    ['an open heredoc', 'FROM scratch\nCOPY <<EOF /\n', 'unterminated heredoc'],
    ['bad options', '# check=skip\nFROM scratch\n', 'failed to parse check options: invalid check option "skip"'],
    ['an expansion', 'FROM scratch\nCOPY ${x /\n', 'failed to process'],
  ])('reports an error: %s', async (_name, text, message) => {
    const { report } = await check(text)
    expect(report.json.buildError?.message).toContain(message)
    expect(checkExitCode(report)).toBe(1)
  })

  it('reports what planning finds, after the findings', async () => {
    const { report } = await check('FROM scratch as a\nSTOPSIGNAL x\n')
    expect(report.json).toMatchObject({
      warnings: [{ ruleName: 'FromAsCasing' }],
      buildError: { message: 'invalid signal: x' },
    })
    expect(report.failed).toBe(false)
    expect(checkText(report)).toContain('1 warning has been found!')
    expect(checkErrorText(report)).toMatch(/^invalid signal: x\n/)
  })

  it('error=true turns findings into a failure', async () => {
    const { report } = await check('# check=error=true\nFROM scratch as a\nMAINTAINER x\n')
    expect(report.json.buildError).toEqual({
      message: 'lint violation found for rules: FromAsCasing, MaintainerDeprecated',
    })
    expect(report.failed).toBe(true)
  })
})

describe('checkSarif', () => {
  it('has rules, results and places', async () => {
    const { report } = await check(lines('FROM scratch', 'CMD node \\', '  index.js', 'ENV a b'))
    expect(checkSarif(report, '1.2.3', 'app/Dockerfile')).toMatchObject({
      version: '2.1.0',
      runs: [
        {
          tool: {
            driver: {
              name: 'tsbuild',
              version: '1.2.3',
              rules: [
                { id: 'JSONArgsRecommended', helpUri: expect.stringContaining('json-args-recommended') },
                { id: 'LegacyKeyValueFormat' },
              ],
            },
          },
          results: [
            {
              ruleId: 'JSONArgsRecommended',
              ruleIndex: 0,
              level: 'warning',
              locations: [
                {
                  physicalLocation: {
                    artifactLocation: { uri: 'app/Dockerfile' },
                    region: { startLine: 2, startColumn: 1, endLine: 3, endColumn: 11 },
                  },
                },
              ],
            },
            { ruleId: 'LegacyKeyValueFormat', ruleIndex: 1 },
          ],
        },
      ],
    })
  })

  it('an error is a result of its own', async () => {
    const { report } = await check('FROM scratch\nBAD\n')
    expect(checkSarif(report, '1.2.3')).toMatchObject({
      runs: [{ results: [{ ruleId: 'build-error', ruleIndex: 0, level: 'error', locations: [{}] }] }],
    })
  })
})
