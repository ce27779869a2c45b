// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of Dockerfiles
import { formatPlatform, type Platform, parseImageConfig, RegistryError } from '@tsbuild/registry-client'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { mutations } from '../../../registry-client/src/model/schema.test-support.ts'
import { BuildError } from '../errors.ts'
import type { ImageConfig } from '../graph/image-config.ts'
import { type FileStep, inputsOf, type RootfsStep, type Step } from '../graph/step.ts'
import { completeConfig, serializeConfig } from '../image/config.ts'
import { parseText, plainImage, resolveIn, testWorld } from '../stages/testing.ts'
import type { StageOptions } from '../stages/world.ts'
import type { PlanOptions } from './context.ts'
import { type ImagePlan, planBuild } from './plan.ts'
import { testPlanOptions } from './testing.ts'

/** What a test changes of the options of stages and plan. */
type Changes = Partial<PlanOptions & StageOptions>

/** A world with a few images; asks for others fail, and what was asked is recorded. */
async function plan(
  text: string,
  changes: Changes = {},
  images: Record<string, Partial<ImageConfig>> = { busybox: {} },
) {
  const asked: string[] = []
  const world = testWorld({
    allStages: false,
    async resolveImage(name, platform, at) {
      if (name === 'failing') throw new BuildError('TEST', 'its config is broken', { at })
      asked.push(`${name} ${formatPlatform(platform)}`)
      const config = images[name]
      if (!config) throw new BuildError('IMAGE_NOT_FOUND', `${name}: not found`)
      return { ...platform, rootfs: plainImage.rootfs, ...config } as ImageConfig
    },
    checkName(name, at) {
      if (name !== name.toLowerCase()) throw new BuildError('IMAGE_NAME_INVALID', `bad name ${name}`, { at })
    },
    namedContext: (name) => (name === 'named' ? { kind: 'tree', context: 'named' } : undefined),
    sourceTime: async (source) => (source.url === 'https://x/y.tar' ? 1_700_000_000 : undefined),
    ...changes,
  })
  return { ...planBuild(await resolveIn(world, parseText(text)), testPlanOptions(changes)), asked }
}

const history = (p: ImagePlan) => (p.image.history ?? []).map((h) => h.created_by)

function stepNames(top: RootfsStep | undefined): string[] {
  const names: string[] = []
  const visit = (step: Step): void => {
    for (const input of inputsOf(step)) visit(input)
    if (!names.includes(step.name)) names.push(step.name)
  }
  if (top) visit(top)
  return names
}

async function failure(text: string, changes: Changes = {}, images?: Record<string, Partial<ImageConfig>>) {
  return await plan(text, changes, images).then(
    () => expect.unreachable('planning should fail'),
    (error: BuildError) => error,
  )
}

describe('variables of a stage that others start from', () => {
  const file = (...rest: string[]) =>
    ['FROM busybox AS a', 'ARG V=x', 'ARG H', 'ENV B=env C=c', 'ARG B=arg', ...rest].join('\n')

  it('hands on ARGs; what ENV keeps in the image counts first', async () => {
    const text = file('FROM a', 'RUN echo $V $B', 'LABEL v=$V b=$B h=$H', 'COPY $V $B/')
    const planned = await plan(text, { buildArgs: new Map([['H', 'given']]) })
    expect(planned.image.config).toMatchObject({ Labels: { v: 'x', b: 'env', h: 'given' } })
    expect(planned.image.config?.Env).toEqual([expect.stringMatching(/^PATH=/), 'B=env', 'C=c'])
    expect(history(planned).at(-3)).toBe('RUN |3 V=x H=given B=env /bin/sh -c echo $V $B # buildkit')
    expect(history(planned).at(-1)).toBe('COPY x env/ # buildkit')
    const run = planned.rootfs?.kind === 'file' ? planned.rootfs.parent : undefined
    expect(run).toMatchObject({ env: ['V=x', 'H=given', expect.stringMatching(/^PATH=/), 'B=env', 'C=c'] })
  })

  it('hands them on through several stages, and leaves those alone that stand beside', async () => {
    const text = file(
      'FROM a AS b',
      'ARG W=$V-w',
      'FROM busybox AS c',
      'LABEL c=$V$W',
      'FROM b',
      'LABEL b=$V$W',
      'COPY --from=c / /',
    )
    const planned = await plan(text)
    expect(planned.image.config?.Labels).toEqual({ b: 'xx-w' })
    expect(planned.rootfs).toMatchObject({ kind: 'file' })
  })

  it('keeps them out of images that stand for a stage', async () => {
    const text = 'FROM busybox AS named\nARG V=x\nFROM named\nLABEL v=$V'
    expect((await plan(text)).image.config?.Labels).toEqual({ v: '' })
  })
})

describe('config and history', () => {
  it.each<[name: string, dockerfile: string, config: object, history: string[]]>([
    [
      'an ENV sees the environment before it',
      'FROM scratch\nENV a=1\nENV a=2 b=$a',
      { Env: expect.arrayContaining(['a=2', 'b=1']) },
      ['ENV a=1', 'ENV a=2 b=1'],
    ],
    [
      'CMD in shell form',
      'FROM scratch\nCMD echo "a  b"',
      { Cmd: ['/bin/sh', '-c', 'echo "a  b"'], ArgsEscaped: true },
      ['CMD ["/bin/sh" "-c" "echo \\"a  b\\""]'],
    ],
    [
      'ENTRYPOINT after CMD keeps it',
      'FROM scratch\nCMD ["a"]\nENTRYPOINT ["b"]',
      { Cmd: ['a'], Entrypoint: ['b'] },
      ['CMD ["a"]', 'ENTRYPOINT ["b"]'],
    ],
    [
      'EXPOSE sorts words as they are written, and lowers',
      'FROM scratch\nEXPOSE 81/UDP 80 127.0.0.1:90:91',
      { ExposedPorts: { '80/tcp': {}, '81/udp': {}, '91/tcp': {} } },
      ['EXPOSE [91/tcp 80/tcp 81/udp]'],
    ],
    [
      'WORKDIR adds up',
      'FROM scratch\nWORKDIR /a/\nWORKDIR b/',
      { WorkingDir: '/a/b' },
      ['WORKDIR /a/', 'WORKDIR /a/b'],
    ],
    [
      'HEALTHCHECK',
      'FROM scratch\nHEALTHCHECK --interval=90s --retries=2 CMD ["x"]',
      { Healthcheck: { Test: ['CMD', 'x'], Interval: 90e9, Retries: 2 } },
      ['HEALTHCHECK {Test:[CMD x] Interval:1m30s Timeout:0s StartPeriod:0s StartInterval:0s Retries:2}'],
    ],
    [
      'VOLUME and USER',
      'FROM scratch\nVOLUME /a /b\nUSER me',
      { Volumes: { '/a': {}, '/b': {} }, User: 'me' },
      ['VOLUME [/a /b]', 'USER me'],
    ],
  ])('%s', async (_, dockerfile, config, expected) => {
    const result = await plan(dockerfile)
    expect(result.image.config).toMatchObject(config)
    expect(history(result)).toEqual(expected)
  })

  it("drops the base's CMD with a new ENTRYPOINT", async () => {
    const result = await plan('FROM busybox\nENTRYPOINT ["x"]', {}, { busybox: { config: { Cmd: ['sh'] } } })
    expect(result.image.config).not.toHaveProperty('Cmd')
  })

  it('writes the arguments that RUN could see in front of its history', async () => {
    const result = await plan('FROM busybox\nARG foo=bar\nARG foo=bar2\nARG bar=1\nENV bar=2\nRUN x')
    expect(history(result).at(-1)).toBe('RUN |2 foo=bar2 bar=2 /bin/sh -c x # buildkit')
  })

  it('keeps proxy arguments out of history and environment', async () => {
    const result = await plan('FROM busybox\nRUN x', { buildArgs: new Map([['http_proxy', 'p']]) })
    expect(history(result)).toEqual(['RUN /bin/sh -c x # buildkit'])
    expect(result.rootfs).toMatchObject({ proxyEnv: ['HTTP_PROXY=p', 'http_proxy=p'] })
  })
})

describe('SOURCE_DATE_EPOCH', () => {
  const STAGE = 'ARG v=y\nFROM scratch AS source\nARG v\nADD https://x/$v.tar /\nFROM scratch\nARG SOURCE_DATE_EPOCH\n'
  const epoch = (value: string) => ({ buildArgs: new Map([['SOURCE_DATE_EPOCH', value]]) })

  it('is the time of the source that a stage adds, also where ARG reads it', async () => {
    const result = await plan(STAGE, {
      ...epoch('source'),
      buildArgs: new Map([
        ['SOURCE_DATE_EPOCH', 'source'],
        ['v', 'y'],
      ]),
    })
    expect(result.epoch).toBe(1_700_000_000)
    expect(history(result)).toEqual(['ARG SOURCE_DATE_EPOCH=1700000000'])
  })

  it.each([
    ['soon', 'invalid SOURCE_DATE_EPOCH: soon', 'FROM scratch'],
    ['s', 'SOURCE_DATE_EPOCH stage must contain exactly one remote ADD', 'FROM scratch AS s'],
    ['s', 'SOURCE_DATE_EPOCH stage must use FROM scratch', 'FROM busybox AS s\nADD https://x/y /'],
    ['s', 'SOURCE_DATE_EPOCH stage source must be a single HTTP(S) or Git ADD', 'FROM scratch AS s\nADD file /'],
    [
      's',
      'SOURCE_DATE_EPOCH stage does not meet source-only requirements: unsupported copy instruction',
      'FROM scratch AS s\nCOPY a /',
    ],
  ])('%s: %s', async (value, message, dockerfile) => {
    expect(await failure(dockerfile, epoch(value))).toMatchObject({ message })
  })
})

describe('stages', () => {
  const FILE = `
ARG base=busybox
FROM $base AS one
RUN 1
FROM missing AS unused
RUN 2
FROM scratch AS two
COPY --from=ONE /a /
COPY --from=0 /b /c
FROM two
`
  it('plans only what the target needs, and asks only for its images', async () => {
    const result = await plan(FILE)
    expect(result.asked).toEqual(['busybox linux/amd64'])
    expect(stepNames(result.rootfs)).toEqual([
      expect.stringMatching(/^\[one 1\/2\] FROM docker.io\/library\/busybox@/),
      '[one 2/2] RUN 1',
      '[two 1/2] COPY --from=ONE /a /',
      '[two 2/2] COPY --from=0 /b /c',
    ])
  })

  it('builds the target that was asked for, in any case', async () => {
    expect(stepNames((await plan(FILE, { target: 'ONE' })).rootfs).at(-1)).toBe('[one 2/2] RUN 1')
  })

  it('says of a bad trigger which image has it, at the FROM that brings it in', async () => {
    const images = { busybox: { config: { OnBuild: ['RUN a\nRUN b'] } } }
    const failure = plan('FROM scratch AS x\nFROM busybox\nCOPY --from=x / /', {}, images)
    await expect(failure).rejects.toMatchObject({
      code: 'ONBUILD_NOT_SINGLE',
      message:
        'busybox has an ONBUILD trigger that cannot be used, "RUN a\\nRUN b": onbuild trigger should be a single expression',
      at: { range: { start: { line: 2 } } },
    })
    const unknown = plan('FROM busybox', {}, { busybox: { config: { OnBuild: ['FOO x'] } } })
    await expect(unknown).rejects.toMatchObject({ at: { file: { name: 'Dockerfile' }, range: { start: { line: 1 } } } })
  })

  it('runs the triggers of a base image and of a stage, once', async () => {
    const text = 'FROM busybox AS a\nONBUILD RUN two\nFROM a AS b\nFROM b'
    const result = await plan(text, {}, { busybox: { config: { OnBuild: ['RUN one'] } } })
    expect(history(result)).toEqual(['RUN /bin/sh -c one # buildkit', 'RUN /bin/sh -c two # buildkit'])
    expect(result.image.config?.OnBuild).toBeUndefined()
  })

  it('takes a named context in place of a stage', async () => {
    const result = await plan('FROM missing AS named\nRUN x\nFROM scratch\nCOPY --from=named /a /')
    expect(result.asked).toEqual([])
    expect(inputsOf(result.rootfs!)).toMatchObject([{ kind: 'context', context: 'named' }])
  })

  it.each<[code: string, message: string, dockerfile: string, changes: Changes]>([
    [
      'TARGET_NOT_FOUND',
      'target stage "bulid" could not be found (did you mean build?)',
      'FROM scratch AS build',
      { target: 'bulid' },
    ],
    ['STAGE_CIRCULAR', 'circular dependency detected on stage: a', 'FROM scratch AS a\nCOPY --from=a / /', {}],
    [
      'STAGE_DEFINED_LATER',
      'cannot copy from stage "b", it needs to be defined before current stage "a"',
      'FROM scratch AS a\nCOPY --from=b / /\nFROM scratch AS b',
      { target: 'a' },
    ],
    ['STAGE_INDEX_INVALID', 'invalid stage index 7', 'FROM scratch\nCOPY --from=7 / /', {}],
    [
      'COPY_FROM_VARIABLE',
      'variable expansion is not supported for --from, define a new stage with FROM using ARG from global scope as a workaround',
      'ARG x\nFROM scratch\nCOPY --from=$x / /',
      {},
    ],
    ['BASE_NAME_BLANK', 'base name ($x) should not be blank', 'FROM $x', {}],
    ['COPY_REMOTE', "source can't be a URL for COPY", 'FROM scratch\nCOPY https://x/y /', {}],
    [
      'ENTITLEMENT',
      'granting entitlement security.insecure is not allowed by build options',
      'FROM busybox\nRUN --security=insecure x',
      {},
    ],
    ['PORT_INVALID', 'invalid proto: tcq', 'FROM scratch\nEXPOSE 80/tcq', {}],
    ['SIGNAL_INVALID', 'invalid signal: SIGFOO', 'FROM scratch\nSTOPSIGNAL SIGFOO', {}],
  ])('%s: %s', async (code, message, dockerfile, changes) => {
    expect(await failure(dockerfile, changes)).toMatchObject({ code, message })
  })
})

describe('as the reference answers', () => {
  const windows = { base: { os: 'windows', architecture: 'amd64' } }

  it.each([
    ['IMAGE_NAME_INVALID', 1, 'FROM Busybox AS a\nFROM scratch', {}],
    ['IMAGE_NAME_INVALID', 2, 'FROM scratch\nCOPY --from=Busybox / /\nCOPY --from=Busybox / /', {}],
    ['TEST', 3, 'FROM scratch\nENV a=b\nCOPY --from=failing / /', {}],
    ['TEST', 3, 'FROM busybox\nENV a=b\nRUN --mount=from=failing,target=/x x', {}],
    ['STAGE_CIRCULAR', 2, 'FROM scratch AS a\nCOPY --from=b / /\nFROM scratch AS b\nCOPY --from=a / /', {}],
    ['STAGE_DEFINED_LATER', 2, 'FROM scratch AS a\nCOPY --from=B / /\nFROM scratch AS b\nFROM a', {}],
    ['STAGE_DEFINED_LATER', 2, 'FROM scratch AS a\nCOPY --from=b / /\nFROM a AS b\nFROM a', {}],
    ['STAGE_MOUNTED_EARLY', 2, 'FROM scratch AS a\nRUN --mount=from=b,target=/t x\nFROM scratch AS b\nFROM a', {}],
    ['PATH_INVALID', 2, 'FROM base\nWORKDIR D:\\x', windows],
    ['PATH_INVALID', 2, 'FROM base\nWORKDIR C:', windows],
    ['PATH_INVALID', 3, '# escape=`\nFROM base\nCOPY a \\\\host\\x', windows],
  ])('%s names line %i of %j', async (code, line, text, images) => {
    const platform = {
      os: 'windows' in images ? 'windows' : 'base' in images ? 'windows' : 'linux',
      architecture: 'amd64',
    }
    const error = await failure(text, { platform }, { busybox: {}, ...images })
    expect(error).toMatchObject({ code, at: { range: { start: { line } } } })
  })

  it('names every instruction of a circle, from the stage that it was found from', async () => {
    const copy = (from: string) => `COPY --from=${from} /f /g`
    const text = ['FROM scratch AS in', copy('a'), 'FROM scratch AS a', copy('b'), 'FROM scratch AS b', copy('c')]
    const error = await failure([...text, 'FROM scratch AS c', copy('a')].join('\n'))
    expect(error.message).toBe('circular dependency detected on stage: in')
    expect([error.at!, ...error.also!].map(({ range }) => range.start.line)).toEqual([2, 4, 6, 8])
    expect(error.with({ hint: 'x' }).also).toBe(error.also)
  })

  it.each([
    ['WORKDIR D:\\x', 'normalizing workdir: normalizing working directory: removing drive letter: $drive'],
    ['WORKDIR C:', 'normalizing workdir: normalizing working directory: removing drive letter: $alone'],
    ['COPY a D:/x', 'removing drive letter: $drive'],
    ['COPY a \\\\host\\x', 'removing drive letter: UNC paths are not supported'],
    ['COPY D:/a /x', 'removing drive letter: removing drive letter: $drive'],
    ['COPY --parents x/./D:/a /x', 'removing drive letter: removing drive letter: $drive'],
    ['COPY <<D:/a /x\nD:/a', 'removing drive letter: $drive'],
  ])('says why %j is no path of Windows', async (line, message) => {
    const expected = message
      .replace('$drive', 'The specified path is not on the system drive (C:)')
      .replace('$alone', 'No relative path specified in "C:"')
    const options = { platform: { os: 'windows', architecture: 'amd64' } }
    expect(await failure(`# escape=\`\nFROM base\n${line}`, options, windows)).toMatchObject({ message: expected })
  })

  it('reads sources of Windows with either slash and with its drive', async () => {
    const options = { platform: { os: 'windows', architecture: 'amd64' } }
    const result = await plan('# escape=`\nFROM base\nCOPY C:\\a\\b c\\d /x', options, windows)
    const patterns = (result.rootfs as FileStep).ops.map(({ op }) => 'selection' in op && op.selection.patterns)
    expect(patterns).toEqual([['/a/b'], ['c/d']])
  })

  it.each([
    ['/a/../b', '/a/../b'],
    ['/$A/foo', '//foo'],
    ['/a/', '/a/'],
    ['$A', '/base'],
    ['x/../y/', '/base/y'],
  ])('WORKDIR %s is %s', async (written, kept) => {
    const { image, rootfs } = await plan(`FROM scratch\nWORKDIR /base\nWORKDIR ${written}\nRUN x`)
    expect(image.config?.WorkingDir).toBe(kept)
    expect(history({ image } as ImagePlan).at(-2)).toBe(`WORKDIR ${kept}`)
    expect(rootfs).toMatchObject({ cwd: expect.stringMatching(/^\/[a-z]+(\/[a-z]+)?$/) })
  })

  it('the shell is that of the system in the config', async () => {
    const { image } = await plan('FROM base\nCMD x', {}, windows)
    expect(image.config?.Cmd).toEqual(['cmd', '/S', '/C', 'x'])
  })

  it('ports are in the order of expansion, each EXPOSE sorted as written; their number is bounded', async () => {
    const { image } = await plan('FROM scratch\nENV P=7\nEXPOSE 9-11 $P 80')
    expect(history({ image } as ImagePlan).at(-1)).toBe('EXPOSE [7/tcp 80/tcp 9/tcp 10/tcp 11/tcp]')
    const wide = `FROM scratch\nEXPOSE ${'1-65535/tcp '.repeat(200)}`
    expect(await failure(wide)).toMatchObject({ code: 'PORT_INVALID', at: { range: { start: { line: 2 } } } })
    const { image: none } = await plan('FROM scratch\nEXPOSE $NONE')
    expect(none.config).not.toHaveProperty('ExposedPorts')
  })

  it('names steps: quotes go and variables are replaced, but not for what a shell reads', async () => {
    const text = [
      ...['FROM scratch AS x', 'ENV A=v', 'WORKDIR "/$A x"', 'COPY "a" $A/$B', 'RUN echo "$A" \'$B\' $B'],
      'ADD https://x/y /z',
    ].join('\n')
    expect(stepNames((await plan(text)).rootfs).filter((name) => !name.includes('context'))).toEqual([
      ...['[1/4] WORKDIR /v x', '[2/4] COPY a v/', '[3/4] RUN echo "v" \'$B\' $B', '[4/4] ADD https://x/y /z'],
    ])
  })

  it('shows what is wrong with a trigger at the FROM that it came with', async () => {
    const images = { busybox: { config: { OnBuild: ['LABEL long-name=${x/y}'] } } }
    const { at } = await failure('# first\nFROM busybox\n', {}, images)
    expect(at?.range.start).toMatchObject({ line: 2, column: 0 })
  })

  it('counts all triggers', async () => {
    const { rootfs } = await plan('FROM busybox\nRUN x', {}, { busybox: { config: { OnBuild: ['ENV a=b', 'RUN y'] } } })
    expect(stepNames(rootfs).at(-1)).toBe('[3/4] RUN x')
  })

  it('says what a stage compiles for', async () => {
    const arm: Platform = { os: 'linux', architecture: 'arm64' }
    const text = 'FROM --platform=$BUILDPLATFORM scratch\nARG TARGETARCH\nRUN x'
    const { rootfs } = await plan(text, { multiPlatform: true, platform: arm })
    expect(rootfs?.name).toMatch(/^\[linux\/(amd64->arm64|arm64) 1\/1\] RUN x$/)
  })
})

describe('configs of base images', () => {
  const whole: ImageConfig = {
    architecture: 'amd64',
    os: 'linux',
    created: '2024-01-01T00:00:00Z',
    config: {
      ...{
        User: 'u',
        ExposedPorts: { '80/tcp': {} },
        Env: ['A=b', 'PATH=/bin', 'A=c', 'x'],
        Entrypoint: ['e'],
        Cmd: ['c'],
      },
      ...{
        Volumes: { '/v': {} },
        WorkingDir: '/w',
        Labels: { l: 'v' },
        StopSignal: 'SIGTERM',
        Shell: ['/bin/sh', '-c'],
      },
      ...{ ArgsEscaped: true, Healthcheck: { Test: ['NONE'], Interval: 1 }, OnBuild: ['ENV O=$A', 'RUN x'] },
    },
    rootfs: { type: 'layers', diff_ids: [`sha256:${'0'.repeat(64)}`] },
    history: [
      { created: '2024-01-01T00:00:00Z', created_by: 'x' },
      { created_by: 'y', empty_layer: true },
    ],
  }
  const text = [
    ...['FROM base AS a', 'ENV N=$A B=2', 'LABEL x=$A', 'EXPOSE 81', 'VOLUME /b', 'WORKDIR d', 'USER $A', 'RUN x'],
    ...['COPY a b', 'CMD x', 'SHELL ["y"]', 'HEALTHCHECK NONE', 'FROM a', 'ARG A=1', 'ENTRYPOINT y', 'STOPSIGNAL 9'],
  ].join('\n')

  it('however they are changed, a plan and a config come of them, or an error that says why', async () => {
    await fc.assert(
      fc.asyncProperty(mutations(whole), async (json) => {
        try {
          const base = parseImageConfig(Buffer.from(json)) as ImageConfig
          const { image } = await plan(text, {}, { base })
          const times = { layers: [1, 2, 3, 4], build: undefined, output: 5, now: 6 }
          serializeConfig(completeConfig(image, image.rootfs.diff_ids, times, ['a', 'b', 'c', 'd']))
        } catch (error) {
          expect(error instanceof BuildError || error instanceof RegistryError, String(error)).toBe(true)
        }
      }),
      { numRuns: 500 },
    )
  })

  it('keeps what is known, the names that are there twice as well', async () => {
    const base = { ...whole, config: { ...whole.config, Hostname: 'h', OnBuild: null }, container: 'c' }
    const { image } = await plan('FROM base AS a\nENV A=d\nFROM a\nLABEL v=$A', {}, { base })
    expect(image.config?.Env).toEqual(['A=d', 'PATH=/bin', 'A=c', 'x'])
    expect(image.config?.Labels).toEqual({ l: 'v', v: 'c' })
    expect(image).not.toHaveProperty('container')
    expect(image.config).not.toHaveProperty('Hostname')
  })
})

describe('steps', () => {
  it('makes one layer of all sources of a COPY, one operation each', async () => {
    const { rootfs } = await plan('FROM scratch\nCOPY a b* <<EOF /to/\nhi $x\nEOF\n')
    expect(rootfs).toMatchObject({
      kind: 'file',
      ops: [
        { op: { op: 'copy', dest: '/to/', selection: { patterns: ['a'] } } },
        { op: { op: 'copy', selection: { patterns: ['b*'] } } },
        { op: { op: 'write', name: 'EOF', content: { data: 'hi \n' }, mode: 0o644 } },
      ],
    })
  })

  it('mounts a context as files of its own, so that RUN cannot write to it', async () => {
    const { rootfs } = await plan('FROM busybox\nRUN --mount=target=/src,source=lib,rw make')
    expect(rootfs).toMatchObject({
      kind: 'run',
      mounts: [
        { type: 'bind', target: '/src', readonly: false, from: { kind: 'file', ops: [{ from: { kind: 'context' } }] } },
      ],
    })
  })

  it('executes a heredoc that begins with #! as a file', async () => {
    const { rootfs } = await plan('FROM busybox\nRUN <<EOF\n#!/usr/bin/awk\nx\nEOF\n')
    expect(rootfs).toMatchObject({
      args: ['/bin/sh', '-c', '/dev/pipes/EOF'],
      script: { path: '/dev/pipes/EOF', content: '#!/usr/bin/awk\nx\n' },
    })
  })

  it('looks for #! when the tabs of <<- are gone', async () => {
    const { rootfs } = await plan('FROM busybox\nRUN <<-EOF\n\t#!/usr/bin/awk\n\tx\n\tEOF\n')
    expect(rootfs).toMatchObject({
      args: ['/bin/sh', '-c', '/dev/pipes/EOF'],
      script: { path: '/dev/pipes/EOF', content: '#!/usr/bin/awk\nx\n' },
    })
  })

  it.each([
    ['RUN << EOF\necho a\nEOF', ['/bin/sh', '-c', 'echo a\n']],
    ['RUN cat << EOF > /x\na\nEOF', ['/bin/sh', '-c', 'cat << EOF > /x\na\nEOF']],
  ])('takes %j as a heredoc', async (run, args) => {
    expect((await plan(`FROM busybox\n${run}\n`)).rootfs).toMatchObject({ args })
  })

  it('marks the steps of the stages that --no-cache-filter names', async () => {
    const { rootfs } = await plan('FROM busybox AS a\nRUN 1\nFROM a AS b\nRUN 2', { noCache: new Set(['a']) })
    expect(rootfs?.noCache).toBe(false)
    expect(rootfs?.kind === 'run' && rootfs.parent?.noCache).toBe(true)
  })
})
