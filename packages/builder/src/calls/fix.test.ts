// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of Dockerfiles
import { describe, expect, it } from 'vitest'
import { expandWord } from '../dockerfile/expand.ts'
import { createLinter, lintStages } from '../lint/index.ts'
import { parseText, plainImage, resolveIn, type TestWorld, testWorld } from '../stages/testing.ts'
import { fixDockerfile } from './fix.ts'

const lines = (...list: readonly string[]): string => `${list.join('\n')}\n`

async function fix(text: string, overrides: Partial<TestWorld> = {}) {
  const world = testWorld(overrides)
  const stages = await resolveIn(world, parseText(text))
  const { linter } = createLinter(stages.parsed.dockerfile, world.buildArgs)
  await lintStages(stages, linter, world.ignored)
  return fixDockerfile(stages, linter.warnings)
}

const entrypoint = async () => ({ ...plainImage, config: { Entrypoint: ['/start'] } })

describe('fixDockerfile', () => {
  it.each<[string, string, string, Partial<TestWorld>?]>([
    [
      'instruction casing',
      lines('From scratch', 'copy a /', 'COPY b /', 'ADD c /'),
      lines('FROM scratch', 'COPY a /', 'COPY b /', 'ADD c /'),
    ],
    ['lower majority', lines('FROM scratch', 'copy a /', 'add b /'), lines('from scratch', 'copy a /', 'add b /')],
    ['as casing', lines('FROM scratch as a'), lines('FROM scratch AS a')],
    [
      'keyword and as together',
      lines('from scratch as a', 'COPY a /', 'COPY b /'),
      lines('FROM scratch AS a', 'COPY a /', 'COPY b /'),
    ],
    [
      'stage names and their uses',
      lines(
        'FROM alpine AS Base',
        'FROM Base',
        'COPY --chown=1 --from=Base /a /',
        'COPY --from=BASE a b',
        'RUN --mount=type=bind,from=Base,target=/b x',
        'COPY Base /',
      ),
      lines(
        'FROM alpine AS base',
        'FROM base',
        'COPY --chown=1 --from=base /a /',
        'COPY --from=base a b',
        'RUN --mount=type=bind,from=base,target=/b x',
        'COPY Base /',
      ),
    ],
    [
      'empty lines',
      lines('FROM alpine', 'RUN a \\', '', '  # why', '   ', '  && b', '', 'RUN c'),
      lines('FROM alpine', 'RUN a \\', '  # why', '  && b', '', 'RUN c'),
    ],
    [
      'empty lines above a heredoc',
      lines('FROM alpine', 'RUN \\', '', '<<EOF', '', 'EOF'),
      lines('FROM alpine', 'RUN \\', '<<EOF', '', 'EOF'),
    ],
    [
      'legacy pairs',
      lines('FROM alpine', 'ENV  a   b', 'LABEL k some words  '),
      lines('FROM alpine', 'ENV  a=b', 'LABEL k="some words"  '),
    ],
    ['legacy pairs with quotes', lines('FROM alpine', `ENV a "x y" 'z'`), lines('FROM alpine', `ENV a="x y"\\ 'z'`)],
    [
      'legacy pairs with variables',
      lines('FROM alpine', 'ENV a $PATH and ${PATH:-x y}'),
      lines('FROM alpine', 'ENV a="$PATH and ${PATH:-x y}"'),
    ],
    [
      'legacy pairs over several lines stay',
      lines('FROM alpine', 'ENV a b \\', '  c'),
      lines('FROM alpine', 'ENV a b \\', '  c'),
    ],
    [
      'maintainer',
      lines('FROM alpine', 'MAINTAINER  "Me" <me@x> $5'),
      lines('FROM alpine', 'LABEL org.opencontainers.image.authors="\\"Me\\" <me@x> \\$5"'),
    ],
    [
      'maintainer in lower case',
      lines('from alpine', 'maintainer me'),
      lines('from alpine', 'label org.opencontainers.image.authors="me"'),
    ],
    ['redundant platform', lines('FROM --platform=$TARGETPLATFORM  alpine AS a'), lines('FROM alpine AS a')],
    ['protocols', lines('FROM alpine', 'EXPOSE 80/TCP 53/Udp 1'), lines('FROM alpine', 'EXPOSE 80/tcp 53/udp 1')],
    [
      'CMD of plain words',
      lines('FROM alpine', 'CMD  nginx -g daemon  # x'.replace('  # x', '')),
      lines('FROM alpine', 'CMD ["nginx", "-g", "daemon"]'),
    ],
    ['CMD on scratch', lines('FROM scratch', 'CMD /run'), lines('FROM scratch', 'CMD ["/run"]')],
    ['CMD that needs a shell', lines('FROM alpine', 'CMD echo $HOME'), lines('FROM alpine', 'CMD echo $HOME')],
    ['CMD of a shell command', lines('FROM alpine', 'CMD exec nginx'), lines('FROM alpine', 'CMD exec nginx')],
    ['CMD with an assignment', lines('FROM alpine', 'CMD A=1 nginx'), lines('FROM alpine', 'CMD A=1 nginx')],
    [
      'CMD below an ENTRYPOINT',
      lines('FROM alpine AS a', 'ENTRYPOINT ["x"]', 'FROM a', 'CMD nginx'),
      lines('FROM alpine AS a', 'ENTRYPOINT ["x"]', 'FROM a', 'CMD nginx'),
    ],
    [
      'CMD of an image with ENTRYPOINT',
      lines('FROM alpine', 'CMD nginx'),
      lines('FROM alpine', 'CMD nginx'),
      { resolveImage: entrypoint },
    ],
    ['ENTRYPOINT stays', lines('FROM alpine', 'ENTRYPOINT nginx'), lines('FROM alpine', 'ENTRYPOINT nginx')],
    [
      'what is skipped stays',
      lines('# check=skip=all', 'from scratch', 'COPY a /', 'COPY b /'),
      lines('# check=skip=all', 'from scratch', 'COPY a /', 'COPY b /'),
    ],
    [
      'CRLF is kept',
      'FROM alpine\r\nENV a b\r\nMAINTAINER me\r\n',
      'FROM alpine\r\nENV a=b\r\nLABEL org.opencontainers.image.authors="me"\r\n',
    ],
    [
      'the escape character of the file',
      lines('# escape=`', 'FROM alpine', `ENV a c:\\x "y z"`, 'MAINTAINER a`b$'),
      lines('# escape=`', 'FROM alpine', 'ENV a=c:\\x` "y z"', 'LABEL org.opencontainers.image.authors="a``b`$"'),
    ],
  ])('%s', async (_name, before, after, world) => {
    const result = await fix(before, world)
    expect(result.text).toBe(after)
    expect(result.diff === '').toBe(before === after)
    expect(result.fixes.length > 0).toBe(before !== after)
    expect((await fix(result.text, world)).text).toBe(after)
  })

  it('says what was fixed and shows the difference', async () => {
    const before = lines(
      '# one',
      '',
      'from alpine',
      'RUN 1',
      'RUN 2',
      'RUN 3',
      'RUN 4',
      'RUN 5',
      'RUN 6',
      'RUN 7',
      'RUN 8',
      'ENV a b',
      'RUN 9',
      'run \\',
      '',
      '  10',
    )
    const { fixes, diff } = await fix(before)
    expect(fixes).toEqual([
      { rule: 'ConsistentInstructionCasing', line: 3 },
      { rule: 'LegacyKeyValueFormat', line: 12 },
      { rule: 'ConsistentInstructionCasing', line: 14 },
      { rule: 'NoEmptyContinuation', line: 15 },
    ])
    expect(diff).toBe(
      lines(
        '--- Dockerfile',
        '+++ Dockerfile',
        '@@ -1,6 +1,6 @@',
        ' # one',
        ' ',
        '-from alpine',
        '+FROM alpine',
        ' RUN 1',
        ' RUN 2',
        ' RUN 3',
        '@@ -9,8 +9,7 @@',
        ' RUN 6',
        ' RUN 7',
        ' RUN 8',
        '-ENV a b',
        '+ENV a=b',
        ' RUN 9',
        '-run \\',
        '-',
        '+RUN \\',
        '   10',
      ),
    )
  })

  it('marks a missing newline at the end', async () => {
    const { diff } = await fix('FROM scratch as a')
    expect(diff).toBe(
      lines(
        '--- Dockerfile',
        '+++ Dockerfile',
        '@@ -1 +1 @@',
        '-FROM scratch as a',
        '\\ No newline at end of file',
        '+FROM scratch AS a',
        '\\ No newline at end of file',
      ),
    )
  })
})

describe('values of legacy pairs come out the same', () => {
  const values = [
    'a b',
    `"a b" c`,
    `'a "b' $x`,
    'a\\ b c',
    'a\\"b c',
    'a # b',
    "it's",
    '"open',
    '${x:-a b} c',
    'a\\\\ b',
    "'a\\' b",
    'a\tb',
    '=',
    'a=b c=d',
    '$x',
    'é ü',
  ]
  it.each(values)('%s', async (value) => {
    const { text } = await fix(`FROM scratch\nENV key ${value}\n`)
    const pairOf = (from: string) => {
      const node = parseText(from).stages[0]!.instructions[0]!
      if (node.kind !== 'ENV') throw new Error('ENV expected')
      return node.pairs
    }
    const expanded = (from: string): string => {
      try {
        return expandWord(pairOf(from)[0]!.value, new Map([['x', '1 2']]), '\\').value
      } catch (error) {
        return String(error)
      }
    }
    expect(pairOf(text)).toHaveLength(1)
    expect(expanded(text)).toBe(expanded(`FROM scratch\nENV key ${value}\n`))
  })
})
