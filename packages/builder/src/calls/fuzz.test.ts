// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of Dockerfiles
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { scanDockerfile } from '../dockerfile/scan.ts'
import { defineError } from '../errors.ts'
import { parseDockerfile } from '../instructions/parse.ts'
import { lintStages } from '../lint/index.ts'
import { SourceFile } from '../source.ts'
import { plainImage } from '../stages/testing.ts'
import { parseIgnore } from '../util/ignore.ts'
import { checkErrorText, checkText } from './check.ts'
import { checkFile } from './check-file.ts'
import { fixDockerfile } from './fix.ts'
import { outlineTarget } from './outline.ts'
import { checkSarif } from './sarif.ts'
import { listTargets } from './targets.ts'
import { checkWorld } from './testing.ts'

const word = fc.constantFrom(
  ...[
    'a',
    'B',
    '/',
    '.',
    '$x',
    '${y:-z}',
    '"q r"',
    "'s",
    'k=v',
    'k="v w"',
    '<<E',
    '--from=Base',
    '--from=0',
    '\\',
    '--platform=$TARGETPLATFORM',
  ],
  ...[
    'alpine',
    'scratch',
    'AS',
    'as',
    'Base',
    '80/TCP',
    '1:2:3',
    '["j"]',
    'é',
    '=',
    '--mount=type=secret,id=$s',
    '${',
    '#',
    'NONE',
  ],
)
const keyword = fc.constantFrom(
  ...[
    'FROM',
    'from',
    'ARG',
    'ENV',
    'env',
    'LABEL',
    'COPY',
    'ADD',
    'RUN',
    'CMD',
    'ENTRYPOINT',
    'EXPOSE',
    'WORKDIR',
    'USER',
    'VOLUME',
  ],
  ...['ONBUILD', 'HEALTHCHECK', 'SHELL', 'MAINTAINER', 'STOPSIGNAL', 'From', 'BAD', '# check=skip=all', '# x', 'E', ''],
)
const separator = fc.constantFrom(' ', ' ', ' ', '\t', ' \\\n', ' \\\n\n', ' \\\r\n  ')
const wild = fc
  .tuple(keyword, fc.array(fc.tuple(separator, word), { maxLength: 5 }))
  .map(([name, words]) => name + words.map(([blank, text]) => blank + text).join(''))
/** Mostly instructions that can be parsed: their findings are the subject. */
const sensible = fc.constantFrom(
  ...[
    'FROM alpine as Next',
    'from scratch',
    'From Base AS other',
    'FROM --platform=$TARGETPLATFORM  alpine',
    'FROM Next AS n2',
  ],
  ...[
    'ENV a b',
    'env x "y z" w',
    "ENV k 'v",
    'ENV m $a \\b c',
    'LABEL l  some words ',
    'LABEL l "m" n=o',
    'ENV q=1 r="2 3"',
  ],
  ...[
    'CMD run it',
    'cmd  run  ',
    'CMD echo $x',
    'CMD ["j"]',
    'ENTRYPOINT e',
    'SHELL ["/s"]',
    'MAINTAINER  me "x" $y\\',
    'maintainer 1',
  ],
  ...[
    'EXPOSE 80/TCP 1:2/uDp',
    'EXPOSE $p',
    'WORKDIR w',
    'COPY a b',
    'COPY --from=BASE a b',
    'ADD $z /',
    'ARG token=$t',
    'arg A B=2',
  ],
  ...[
    'RUN --mount=type=bind,from=Base,target=/t x',
    'RUN a \\\n\n b',
    'RUN <<E\n\nE',
    'COPY \\\n \n<<E <<"F" /\n$h\nE\nF',
    'ONBUILD ENV a b',
  ],
  ...[
    '# check=skip=all',
    '# check=skip=LegacyKeyValueFormat // x',
    '# Next is',
    '#',
    'HEALTHCHECK NONE',
    'VOLUME $v',
    'USER ${u:-v}',
  ],
)
const instruction = fc.oneof({ weight: 12, arbitrary: sensible }, { weight: 1, arbitrary: wild })
const file = fc
  .tuple(
    fc.nat(5).map((n) => n > 0),
    fc.array(instruction, { maxLength: 12 }),
    fc.constantFrom('\n', '\r\n', '\n\n'),
    fc.boolean(),
  )
  .map(
    ([from, list, newline, ended]) =>
      (from ? `FROM alpine AS Base${newline}` : '') + list.join(newline) + (ended ? newline : ''),
  )

const missing = defineError({ code: 'TEST', doc: '', message: () => 'no such image' })
/** Names in capitals are no images: `FROM Base` is in error until the stage is called `base`. */
const world = checkWorld({
  ignored: async () => parseIgnore('a\n!b'),
  resolveImage: async (name, _platform, at) => {
    if (name !== name.toLowerCase()) throw missing([], { at })
    return plainImage
  },
})

it('checks, fixes and descriptions of any file end without surprises', async () => {
  await fc.assert(
    fc.asyncProperty(file, async (text) => {
      const source = new SourceFile('Dockerfile', text)
      const { report, stages } = await checkFile(source, world)
      for (const { at } of report.warnings) {
        const { start, end } = at!.range
        expect(0 <= start.offset && start.offset <= end.offset && end.offset <= text.length).toBe(true)
      }
      expect(typeof checkText(report) + checkErrorText(report)).toBeTypeOf('string')
      JSON.stringify([report.json, checkSarif(report, '1')])
      if (!stages) return
      const { parsed } = stages
      listTargets(parsed)
      if (report.error === undefined)
        outlineTarget(stages, await lintStages(stages, { report: () => {} }, world.ignored))
      const fixed = fixDockerfile(stages, report.warnings)
      const again = parseDockerfile(scanDockerfile(new SourceFile('Dockerfile', fixed.text)))
      expect(again.stages).toHaveLength(parsed.stages.length)
    }),
    { numRuns: 1500 },
  )
})

it('what was fixed is not found again', async () => {
  await fc.assert(
    fc.asyncProperty(file, async (text) => {
      const { report, stages } = await checkFile(new SourceFile('Dockerfile', text), world)
      if (!stages || report.error) return
      const fixed = fixDockerfile(stages, report.warnings)
      const again = await checkFile(new SourceFile('Dockerfile', fixed.text), world)
      expect(again.report.error).toBeUndefined()
      expect(again.report.warnings.length).toBeLessThanOrEqual(report.warnings.length)
      const second = fixDockerfile(again.stages!, again.report.warnings)
      expect(second.text).toBe(fixed.text)
    }),
    { numRuns: 1500 },
  )
})
