import { formatPlatform, type Platform } from '@tsbuild/registry-client'
import { describe, expect, it } from 'vitest'
import { scanDockerfile } from '../dockerfile/scan.ts'
import { BuildError } from '../errors.ts'
import type { ImageConfig } from '../graph/image-config.ts'
import { inputsOf, type RootfsStep, type Step } from '../graph/step.ts'
import { parseDockerfile } from '../instructions/parse.ts'
import { SourceFile } from '../source.ts'
import type { PlanOptions } from './context.ts'
import { type ImagePlan, planBuild } from './plan.ts'
import type { PlanWorld, ResolvedImage } from './world.ts'

const AMD64: Platform = { os: 'linux', architecture: 'amd64' }

function options(changes: Partial<PlanOptions> = {}): PlanOptions {
  return {
    target: undefined,
    platform: AMD64,
    buildPlatform: AMD64,
    implicitPlatform: true,
    multiPlatform: false,
    buildArgs: new Map(),
    labels: {},
    noCache: new Set<string>(),
    network: 'default',
    allow: new Set(),
    extraHosts: [],
    shmSize: undefined,
    ulimits: [],
    hostname: undefined,
    epoch: undefined,
    undated: false,
    ...changes,
  }
}

/** A world with a few images; asks for others fail, and what was asked is recorded. */
function world(images: Record<string, Partial<ImageConfig>> = { busybox: {} }) {
  const asked: string[] = []
  const digest = `sha256:${'0'.repeat(64)}` as const
  const answers: PlanWorld = {
    async resolveImage(name, platform): Promise<ResolvedImage> {
      asked.push(`${name} ${formatPlatform(platform)}`)
      const config = images[name]
      if (!config) throw new BuildError('IMAGE_NOT_FOUND', `${name}: not found`)
      const layer = { mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest, size: 1 }
      return {
        ref: `docker.io/library/${name}@${digest}`,
        manifest: layer,
        layers: [{ descriptor: layer, diffID: digest }],
        config: { ...platform, rootfs: { type: 'layers', diff_ids: [digest] }, ...config } as ImageConfig,
      }
    },
    hasNamedContext: (name) => name === 'named',
    namedContext: async (name) => (name === 'named' ? { kind: 'tree', context: 'named' } : undefined),
    contextTime: async () => undefined,
    sourceTime: async (source) => (source.url === 'https://x/y.tar' ? 1_700_000_000 : undefined),
  }
  return { asked, answers }
}

async function plan(text: string, changes: Partial<PlanOptions> = {}, images?: Record<string, Partial<ImageConfig>>) {
  const { asked, answers } = world(images)
  const parsed = parseDockerfile(scanDockerfile(new SourceFile('Dockerfile', text)))
  return { ...(await planBuild(parsed, options(changes), answers)), asked }
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

async function failure(
  text: string,
  changes: Partial<PlanOptions> = {},
  images?: Record<string, Partial<ImageConfig>>,
) {
  return await plan(text, changes, images).then(
    () => expect.unreachable('planning should fail'),
    (error: BuildError) => error,
  )
}

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
      'EXPOSE sorts and lowers',
      'FROM scratch\nEXPOSE 81/UDP 80 127.0.0.1:90:91',
      { ExposedPorts: { '80/tcp': {}, '81/udp': {}, '91/tcp': {} } },
      ['EXPOSE [80/tcp 81/udp 91/tcp]'],
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

  it.each<[code: string, message: string, dockerfile: string, changes: Partial<PlanOptions>]>([
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

  it('marks the steps of the stages that --no-cache-filter names', async () => {
    const { rootfs } = await plan('FROM busybox AS a\nRUN 1\nFROM a AS b\nRUN 2', { noCache: new Set(['a']) })
    expect(rootfs?.noCache).toBe(false)
    expect(rootfs?.kind === 'run' && rootfs.parent?.noCache).toBe(true)
  })
})
