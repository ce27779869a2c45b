/**
 * Large files: ten times the input may cost at most twelve times the work. CPU time of this process is compared with
 * itself, never with a clock; what is too little to be measured counts as one unit.
 */
import { describe, expect, it } from 'vitest'
import { excerpt, SourceFile } from '../source.ts'
import { readWhole } from './growth.test-support.ts'

const many = (n: number, line: (i: number) => string, separator = '\n') =>
  Array.from({ length: n }, (_, i) => line(i)).join(separator)
const lines = (line: (i: number) => string) => (n: number) => `FROM busybox\n${many(n, line)}\n`
const one = (before: string, word: (i: number) => string, after = '') => {
  return (n: number) => `FROM busybox\n${before} ${many(n, word, ' \\\n')} ${after}\n`
}

const kinds: readonly (readonly [name: string, text: (n: number) => string, ignored?: (n: number) => string])[] = [
  ['COPY', lines((i) => `COPY a${i} /b`)],
  ['RUN', lines((i) => `RUN a${i}`)],
  ['ENV', lines((i) => `ENV A${i}=$A${i - 1}`)],
  ['one ENV', one('ENV', (i) => `A${i}=b`)],
  ['LABEL', lines((i) => `LABEL a${i}=b`)],
  ['ARG', lines((i) => `ARG A${i}=b`)],
  ['global ARG', (n) => `${many(n, (i) => `ARG A${i}=b`)}\nFROM busybox\n${many(n, (i) => `ARG A${i}`)}`],
  ['VOLUME', lines((i) => `VOLUME /a${i}`)],
  ['EXPOSE', lines((i) => `EXPOSE ${i}`)],
  ['EXPOSE of all ports', (n) => `FROM busybox\nEXPOSE ${'1-65535/tcp '.repeat(n / 10)}`],
  ['WORKDIR', lines((i) => `WORKDIR a${i}/..`)],
  ['USER, CMD and SHELL', lines((i) => `USER a${i}\nCMD x\nSHELL ["s"]`)],
  ['triggers', (n) => `FROM busybox AS a\n${many(n, (i) => `ONBUILD RUN a${i}`)}\nFROM a`],
  ['stages', (n) => many(n, (i) => `FROM busybox AS a${i}`)],
  [
    'stages on stages',
    (n) =>
      `FROM busybox AS a0\n${many(n, (i) => `FROM a${i} AS a${i + 1}\nENV A${i}=b\nARG B${i}=c\nLABEL a${i}=$A0$NONE\nEXPOSE ${i}`)}`,
  ],
  [
    'stages from stages',
    (n) => `FROM busybox AS a0\n${many(n, (i) => `FROM scratch AS a${i + 1}\nCOPY --from=a${i} / /`)}`,
  ],
  [
    'a stage from all',
    (n) => `${many(n, (i) => `FROM scratch AS a${i}`)}\nFROM scratch\n${many(n, (i) => `COPY --from=a${i} / /`)}`,
  ],
  ['heredocs', lines((i) => `RUN <<E${i}\na\nE${i}`)],
  [
    'heredocs of one COPY',
    (n) => `FROM scratch\nCOPY ${many(n, (i) => `<<E${i}`, ' \\\n')} /x/\n${many(n, (i) => `$a\nE${i}`)}\n`,
  ],
  ['a long heredoc', (n) => `FROM scratch\nCOPY <<E /x\n${many(n, (i) => `$a${i}`)}\nE\n`],
  ['a long instruction', one('RUN', (i) => `a${i}`)],
  ['comments in an instruction', (n) => `FROM busybox\nRUN a \\\n${many(n, () => '# x')}\nb\n`],
  ['JSON', (n) => `FROM busybox\nRUN [${many(n, (i) => `"a${i}"`, ', \\\n')}]\n`],
  ['sources', one('COPY', (i) => `a${i}`, '/x/')],
  ['--exclude', one('COPY', (i) => `--exclude=a${i}`, 'a /x/')],
  ['mounts', one('RUN', (i) => `--mount=type=cache,target=/a${i}`, 'x')],
  ['mounts of images', one('RUN', (i) => `--mount=from=i${i},target=/a${i}`, 'x')],
  ['secrets', one('RUN', (i) => `--mount=type=secret,id=a${i},env=A${i}`, 'x')],
  ['undefined variables', lines((i) => `LABEL a${i}=$b${i}`)],
  ['findings on one instruction', one('LABEL', (i) => `a${i}=$b${i}`)],
  ['an error in a long instruction', one('COPY', (i) => `a${i}`, '${')],
  ['ignored files', lines((i) => `COPY a${i}/b /x`), () => 'x\ny/z\n*.foo'],
  ['ignore rules', () => 'FROM scratch\nCOPY a/b/c /x\n', (n) => many(n, (i) => `a${i}/*/b`)],
]

async function cost(text: string, ignored: string | undefined): Promise<number> {
  const before = process.cpuUsage()
  await readWhole(text, ignored)
  const { user, system } = process.cpuUsage(before)
  return user + system
}

/** The least of several: what other work of the process adds is never negative. */
async function least(text: string, ignored: string | undefined, times: number): Promise<number> {
  let found = Number.POSITIVE_INFINITY
  for (let i = 0; i < times; i++) found = Math.min(found, await cost(text, ignored))
  return found
}

const unit = 20_000

describe('reading, planning and checking grows with the file', () => {
  for (const [name, text, ignored] of kinds) {
    it(name, { timeout: 600_000 }, async () => {
      const [small, large] = [200, 2000]
      await readWhole(text(small), ignored?.(small))
      const before = await least(text(small), ignored?.(small), 3)
      const after = await least(text(large), ignored?.(large), 2)
      expect(after / Math.max(before, unit)).toBeLessThanOrEqual(12)
    })
  }
})

it('an instruction of very many lines is shown in part', () => {
  const file = new SourceFile('Dockerfile', `FROM a\nRUN ${many(500_000, (i) => `a${i}`, ' \\\n')}\nRUN b\n`)
  const rows = excerpt({ file, range: file.lines(2, 500_001) }).split('\n')
  expect(rows.length).toBeLessThan(70)
  expect(rows).toContainEqual(expect.stringMatching(/^ +\[\d+ more lines\]$/))
  expect(rows.at(-2)).toContain('RUN b')
})
