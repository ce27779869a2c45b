// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of a Dockerfile are written like this
import { describe, expect, it } from 'vitest'
import { scanDockerfile } from '../dockerfile/scan.ts'
import { SourceFile } from '../source.ts'
import { refuseFromVariable } from './copy.ts'
import { instructions, keywords } from './index.ts'
import type { CopyNode } from './nodes.ts'
import { parseDockerfile } from './parse.ts'

const parse = (line: string) => {
  const { stages } = parseDockerfile(scanDockerfile(new SourceFile('Dockerfile', `FROM base\n${line}`)))
  const stage = stages.at(-1)!
  return stage.instructions[0] ?? stage.from
}

it('lists every instruction under its keyword', () => {
  expect(Object.keys(instructions)).toEqual(keywords)
})

describe('nodes', () => {
  it.each<[string, object]>([
    ['FROM --platform=$P img:1 as Name', { image: 'img:1', platform: '$P', stageName: 'name', stageNameRaw: 'Name' }],
    [
      'ENV a=b c="d e"',
      {
        pairs: [
          { key: 'a', value: 'b', legacy: false },
          { key: 'c', value: '"d e"', legacy: false },
        ],
      },
    ],
    ['ENV a b  c', { pairs: [{ key: 'a', value: 'b  c', legacy: true }] }],
    ['LABEL a.b=c=d', { pairs: [{ key: 'a.b', value: 'c=d', legacy: false }] }],
    ['ARG a=', { args: [{ key: 'a', value: '' }] }],
    ['ARG --x a', { args: [{ key: 'a', value: undefined }] }],
    [
      'RUN',
      { command: { form: 'shell', text: '', heredocs: [] }, mounts: [], network: undefined, security: undefined },
    ],
    [
      'RUN --network=none --security=insecure ["a"]',
      { command: { form: 'exec', args: ['a'] }, network: 'none', security: 'insecure' },
    ],
    ['RUN --device=vendor.com/x=y,required x', { devices: [{ name: 'vendor.com/x=y', required: true }] }],
    ['CMD a  b', { command: { form: 'shell', text: 'a  b' } }],
    ['CMD []', { command: { form: 'exec', args: [] } }],
    ['ENTRYPOINT ["a", "b"]', { command: { form: 'exec', args: ['a', 'b'] } }],
    [
      'COPY --from=x --chown=a:b --chmod=644 --link --parents --exclude=a --exclude=b c d e/',
      {
        sources: ['c', 'd'],
        dest: 'e/',
        from: 'x',
        chown: 'a:b',
        chmod: '644',
        link: true,
        parents: true,
        exclude: ['a', 'b'],
      },
    ],
    ['COPY --link=False a b', { link: false, parents: false, from: undefined, chown: undefined, chmod: undefined }],
    ['COPY ["a b", "c"]', { sources: ['a b'], dest: 'c' }],
    [
      'COPY <<"E" a /d\n$x\nE',
      { sources: ['a'], contents: [{ name: 'E', content: '$x\n', expand: false }], dest: '/d' },
    ],
    ['COPY ["<<E", "/d"]', { sources: [], contents: [{ name: 'E', content: '' }] }],
    [
      'ADD --unpack=false --keep-git-dir --checksum=sha256:x a b',
      { unpack: false, keepGitDir: true, checksum: 'sha256:x' },
    ],
    ['ADD a b', { unpack: undefined, keepGitDir: undefined, checksum: undefined }],
    ['EXPOSE 80 443/tcp 100-200', { ports: ['100-200', '443/tcp', '80'] }],
    ['VOLUME ["/a b", " /c "]', { paths: ['/a b', '/c'] }],
    ['VOLUME /a /b', { paths: ['/a', '/b'] }],
    ['USER a b', { user: 'a b' }],
    ['WORKDIR "/a b"', { path: '"/a b"' }],
    ['STOPSIGNAL $S', { signal: '$S' }],
    ['SHELL ["a", "-c"]', { shell: ['a', '-c'] }],
    ['MAINTAINER a <b>', { maintainer: 'a <b>' }],
    ['ONBUILD  run x ', { expression: 'run x ' }],
    ['HEALTHCHECK none', { test: ['NONE'], interval: 0, retries: 0 }],
    ['HEALTHCHECK CMD a  b', { test: ['CMD-SHELL', 'a  b'] }],
    [
      'HEALTHCHECK --interval=1m30s --timeout=1.5s --start-period=1h --start-interval=0 --retries=3 CMD ["a", "b"]',
      { test: ['CMD', 'a', 'b'], interval: 90e9, timeout: 1.5e9, startPeriod: 3600e9, startInterval: 0, retries: 3 },
    ],
  ])('of %s', (line, expected) => {
    expect(parse(line)).toMatchObject(expected)
  })
})

describe('refusals', () => {
  it.each<[string, string]>([
    ['FROM', 'FROM requires either one or three arguments'],
    ['FROM a b', 'FROM requires either one or three arguments'],
    ['FROM a is b', 'FROM requires either one or three arguments'],
    ['FROM a AS 1b', 'invalid name for build stage: "1b", name can\'t start with a number or contain symbols'],
    ['FROM a AS b/c', 'invalid name for build stage: "b/c", name can\'t start with a number or contain symbols'],
    ['FROM --after=x a', 'unknown flag: --after'],
    ['ENV', 'ENV requires at least one argument'],
    ['ENV =b', 'ENV names can not be blank'],
    ['ENV --a b=c', 'unknown flag: --a'],
    ['LABEL', 'LABEL requires at least one argument'],
    ['ARG', 'ARG requires at least one argument'],
    ['ARG =a', 'ARG names can not be blank'],
    ['RUN --mont=x y', 'unknown flag: --mont (did you mean mount?)'],
    ['RUN --network=nne x', 'invalid network mode "nne" (did you mean none?)'],
    ['RUN --network=a --network=b x', 'duplicate flag specified: --network'],
    ['RUN --network x', 'missing a value on flag: --network'],
    ['RUN --security=x y', 'security "x" is not valid'],
    ['RUN --mount=type=bind,from=$a x', "'from' doesn't support variable expansion, define alias stage instead"],
    ['RUN --mount= x', 'failed to parse csv mounts: EOF'],
    ['RUN --mount=a\\"b x', 'failed to parse csv mounts: parse error on line 1, column 2: bare " in non-quoted-field'],
    [
      'RUN --mount=\\"a x',
      'failed to parse csv mounts: parse error on line 1, column 3: extraneous or missing " in quoted-field',
    ],
    ['RUN --device=a,b x', "invalid field 'b' must be a key=value pair"],
    ['RUN --device=name=a,requird=1 x', "unexpected key 'requird' in 'requird=1' (did you mean required?)"],
    ['COPY', 'COPY requires at least two arguments, but only one was provided. Destination could not be determined'],
    [
      'COPY --foo a',
      'COPY requires at least two arguments, but only one was provided. Destination could not be determined',
    ],
    ['COPY --chown a b', 'missing a value on flag: --chown'],
    ['COPY --link= a b', 'missing a value on flag: --link'],
    ['COPY --link=maybe a b', 'expecting boolean value for flag --link, not: maybe'],
    ['COPY a <<E\nx\nE', 'COPY cannot accept a heredoc as a destination'],
    ['COPY --unpack a b', 'unknown flag: --unpack'],
    ['COPY --constructor=a a b', 'unknown flag: --constructor'],
    ['ADD --from=a b c', 'unknown flag: --from'],
    ['ADD --chmod a b', 'missing a value on flag: --chmod'],
    ['USER', 'USER requires exactly one argument'],
    ['WORKDIR', 'WORKDIR requires exactly one argument'],
    ['MAINTAINER', 'MAINTAINER requires exactly one argument'],
    ['STOPSIGNAL', 'STOPSIGNAL requires exactly one argument'],
    ['EXPOSE', 'EXPOSE requires at least one argument'],
    ['VOLUME', 'VOLUME requires at least one argument'],
    ['VOLUME []', 'VOLUME requires at least one argument'],
    ['VOLUME ["a", " "]', 'VOLUME specified can not be an empty string'],
    ['SHELL', 'SHELL requires at least one argument'],
    ['SHELL []', 'SHELL requires at least one argument'],
    ['SHELL bash -c', 'SHELL requires the arguments to be in JSON form'],
    ['ONBUILD', 'ONBUILD requires at least one argument'],
    ['ONBUILD onbuild RUN x', "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"],
    ['ONBUILD from x', "FROM isn't allowed as an ONBUILD trigger"],
    ['ONBUILD MAINTAINER x', "MAINTAINER isn't allowed as an ONBUILD trigger"],
    ['HEALTHCHECK', 'HEALTHCHECK requires at least one argument'],
    ['HEALTHCHECK NONE x', 'HEALTHCHECK NONE takes no arguments'],
    ['HEALTHCHECK CMD', 'Missing command after HEALTHCHECK CMD'],
    ['HEALTHCHECK CMD []', 'Missing command after HEALTHCHECK CMD'],
    ['HEALTHCHECK curl x', 'Unknown type "CURL" in HEALTHCHECK (try CMD)'],
    ['HEALTHCHECK --interval=5 CMD x', 'time: missing unit in duration "5"'],
    ['HEALTHCHECK --interval=5x CMD x', 'time: unknown unit "x" in duration "5x"'],
    ['HEALTHCHECK --interval=.s CMD x', 'time: invalid duration ".s"'],
    ['HEALTHCHECK --timeout=1us CMD x', 'Interval "timeout" cannot be less than 1ms'],
    ['HEALTHCHECK --timeout=-1s CMD x', 'Interval "timeout" cannot be less than 1ms'],
    ['HEALTHCHECK --retries=a CMD x', 'strconv.ParseInt: parsing "a": invalid syntax'],
    ['HEALTHCHECK --retries=99999999999 CMD x', 'strconv.ParseInt: parsing "99999999999": value out of range'],
    ['HEALTHCHECK --retries=-1 CMD x', '--retries cannot be negative (-1)'],
    ['HEALTHCHECK --intreval=5s CMD x', 'unknown flag: --intreval (did you mean interval?)'],
  ])('of %s', (line, message) => {
    expect(() => parse(line)).toThrow(
      expect.objectContaining({ message: `dockerfile parse error on line 2: ${message}`, at: expect.anything() }),
    )
  })

  it.each(['COPY --from=$a b c', 'COPY --from=x${a:-b} c d', 'COPY --from=\\$a b c'])('of variables in %s', (line) => {
    // Parsing takes them, so that the file's stages can be listed.
    const parsed = parseDockerfile(scanDockerfile(new SourceFile('Dockerfile', `FROM a\n${line}\n`)))
    const node = parsed.stages[0]!.instructions[0] as CopyNode
    expect(() => refuseFromVariable(node, parsed.dockerfile)).toThrow(
      'variable expansion is not supported for --from, define a new stage with FROM using ARG from global scope as a workaround',
    )
  })
})
