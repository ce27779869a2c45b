import { BuildError, type Location, SourceFile } from '@tsbuild/builder'
import { describe, expect, it } from 'vitest'
import { CommandError } from './command-error.ts'
import { renderError } from './render-error.ts'
import { renderWarnings } from './render-warnings.ts'
import { UsageError } from './usage-error.ts'

const file = new SourceFile('Dockerfile', 'FROM busybox\nRUN true\nRUN false\nRUN after\nRUN end\nRUN x\n')
const at: Location = { file, range: file.lines(3, 3) }

describe('renderError', () => {
  it('shows the step, its last lines, the place and the message', async () => {
    const error = new BuildError(
      'RUN_FAILED',
      'process "/bin/sh -c false" did not complete successfully: exit code: 1',
      {
        at,
        step: '[3/3] RUN false',
        exitCode: 1,
        logTail: ['first', '\x1b[31mlast\x1b[0m'],
        hint: 'Look at the output above.',
      },
    )
    expect(await renderError(error, { debug: false, prefix: 'failed to solve: ' })).toBe(`------
 > [3/3] RUN false:
first
\\x1b[31mlast\\x1b[0m
------
Dockerfile:3
--------------------
   1 |     FROM busybox
   2 |     RUN true
   3 | >>> RUN false
   4 |     RUN after
   5 |     RUN end
--------------------
ERROR: failed to solve: process "/bin/sh -c false" did not complete successfully: exit code: 1
hint: Look at the output above.
`)
  })

  it.each<[string, unknown, string]>([
    [
      'a usage error',
      new UsageError('unknown flag: --x', 'did you mean --y?'),
      'ERROR: unknown flag: --x\nhint: did you mean --y?\n',
    ],
    ['a command error', new CommandError('no docker'), 'ERROR: no docker\n'],
    [
      'a system error',
      Object.assign(new Error("ENOENT: no such file or directory, open 'x'"), { code: 'ENOENT', syscall: 'open' }),
      "ERROR: ENOENT: no such file or directory, open 'x'\n",
    ],
    ['something else', 'text', 'ERROR: text\n'],
    ['control bytes', new UsageError('unknown flag: --\x1b[2J'), 'ERROR: unknown flag: --\\x1b[2J\n'],
  ])('shows %s in a line', async (_name, error, text) => {
    expect(await renderError(error, { debug: false })).toBe(text)
  })

  it('hides where a bug is, but not that it is one', async () => {
    const text = await renderError(new TypeError('x is not a function'), { debug: false })
    expect(text).toMatch(/^ERROR: internal error: x is not a function\nhint: .*-D/)
    expect(text).not.toContain('    at ')
  })

  it('shows causes and stacks with debug', async () => {
    const error = new CommandError('outer', undefined, { cause: new TypeError('inner') })
    const text = await renderError(error, { debug: true })
    expect(text).toMatch(/^ERROR: outer\n/)
    expect(text).toContain('TypeError: inner')
    expect(text).toContain('    at ')
  })

  it('bounds long excerpts and logs', async () => {
    const long = new SourceFile('Dockerfile', `RUN <<EOF\n${'echo\n'.repeat(5000)}EOF\n`)
    const error = new BuildError('X', 'no', {
      at: { file: long, range: long.lines(1, 5002) },
      logTail: Array.from({ length: 5000 }, (_, i) => `line ${i}`),
    })
    const lines = (await renderError(error, { debug: false })).split('\n')
    expect(lines.length).toBeLessThan(130)
    expect(lines).toContain('line 4999')
    expect(lines.some((line) => /\[\d+ more lines\]/.test(line))).toBe(true)
  })
})

describe('renderWarnings', () => {
  const warnings = [
    {
      rule: 'StageNameCasing',
      message: "Stage name 'A' should be lowercase",
      url: 'https://x',
      description: 'Why.',
      at,
    },
    { rule: '', message: 'something else' },
  ]

  it('lists them', () => {
    expect(renderWarnings(warnings)).toBe(`
 2 warnings found (use --debug to expand):
 - StageNameCasing: Stage name 'A' should be lowercase (line 3)
 - something else
`)
    expect(renderWarnings([])).toBe('')
  })

  it('shows them in full', () => {
    const text = renderWarnings(warnings, () => 'EXCERPT')
    expect(text).toContain('\n 2 warnings found:\n')
    expect(text).toContain('Why.\nMore info: https://x\nEXCERPT\n')
  })
})
