/**
 * Random builds, for properties of the cache: a Dockerfile of several stages and changes of it, of the context and of how
 * it is built. Few names, so that what is drawn meets itself again.
 */
import { copyFile, mkdir, rm, symlink, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { writeLayout } from './image-layout.ts'
import { must } from './process.ts'
import { type FileTree, writeTree } from './temp.ts'
import { which } from './tools.ts'

/** One instruction. Stages that it names are counted from the first; those that come later become earlier ones. */
export type Line =
  | {
      readonly kind: 'copy'
      readonly link: boolean
      readonly from: number | 'context' | 'image'
      readonly pair: readonly [source: string, dest: string]
      readonly chown: string | undefined
      readonly chmod: string | undefined
    }
  | { readonly kind: 'run'; readonly command: string; readonly mount: number | 'context' | undefined }
  | { readonly kind: 'text'; readonly text: string }

export interface RandomStage {
  /** A base image by its name, or an earlier stage by its number. */
  readonly base: string | number
  readonly lines: readonly Line[]
}

/** One build as it is told to the library. */
export interface RandomBuild {
  readonly stages: readonly RandomStage[]
  /** Content of files of the context, and their modes. */
  readonly files: Readonly<Record<string, string>>
  readonly executable: boolean
  readonly epoch: number | undefined
  readonly platforms: readonly string[]
  readonly buildArg: string
  readonly noCache: 'nothing' | 'everything' | 'first stage'
  /** Done to the store before it: pruned, or some of its snapshots lost. */
  readonly before: 'nothing' | 'prune' | 'prune a part' | 'lose snapshots'
}

type Change = (build: RandomBuild) => RandomBuild

export const BASES = ['base-a', 'base-b', 'base-c', 'scratch'] as const

/** Sources and where they go: files stay files and directories directories, or most builds would fail. */
const FILES = ['/x/f', '/y/g', '/who', '/x/', '/y/']
const fromContext = fc.oneof(
  fc.tuple(fc.constantFrom('a', 'b', 'd/p'), fc.constantFrom(...FILES)),
  fc.tuple(fc.constantFrom('d', 'd/', '.'), fc.constantFrom('/x/', '/y/', '/w/')),
)
const fromRootfs = fc.oneof(
  fc.tuple(fc.constantFrom('/who', '/x/f', '/y/g'), fc.constantFrom(...FILES)),
  fc.tuple(fc.constantFrom('/x', '/y', '/etc', '/'), fc.constantFrom('/x/', '/y/', '/w/')),
)

const copyFlags = {
  link: fc.constantFrom(true, true, false),
  chown: fc.option(fc.constantFrom('7:8', 'user', 'user:staff', '9'), { nil: undefined, freq: 4 }),
  chmod: fc.option(fc.constantFrom('600', '4755', 'u+x'), { nil: undefined, freq: 1 }),
}
const copy: fc.Arbitrary<Line> = fc.oneof(
  fc.record({
    kind: fc.constant('copy' as const),
    from: fc.constant('context' as const),
    pair: fromContext,
    ...copyFlags,
  }),
  fc.record({
    kind: fc.constant('copy' as const),
    from: fc.oneof(fc.nat(2), fc.constant('image' as const)),
    pair: fromRootfs,
    ...copyFlags,
  }),
)

const stats = (paths: string) => `find ${paths} -exec stat -c "%n %F %a %u %g %s TIME" {} + 2>/dev/null | sort`
const LOOK = stats('/who /out /sum /s /x /y /w /etc/passwd')
const WRITING = ['echo A > /who', 'echo B > /who']
const READING = ['cp /who /out', 'cat /who /x/* /y/* /w/* > /sum 2>/dev/null || true', `${LOOK} > /list`]
const OTHER = [
  'cp /x/f /out || true',
  'rm -rf /x && mkdir /x && echo new > /x/f',
  'rm -rf /y/* || true',
  'mkdir -p /x /y && echo g > /y/g',
  'chmod 700 /x || true',
  'chown -R 3:4 /y || true',
  'touch -d @981173106 /x / || true',
  'ln -f /who /hard; chmod 640 /who',
  'echo user:x:3000:3001::/:/bin/sh > /etc/passwd',
  'echo $V $TARGETARCH $K > /env',
  'touch /x/new && rm /x/new || true',
]
const MOUNTED = ['cat /m/who /m/x/f /m/a > /seen 2>/dev/null || true', `${stats('/m/who /m/x /m/y /m/a /m/d')} > /seen`]
const run: fc.Arbitrary<Line> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc
      .oneof(fc.constantFrom(...WRITING), fc.constantFrom(...READING), fc.constantFrom(...OTHER))
      .map((command) => ({ kind: 'run' as const, command, mount: undefined })),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('run' as const),
      command: fc.constantFrom(...MOUNTED),
      mount: fc.oneof(fc.nat(2), fc.constant('context' as const)),
    }),
  },
)
const text: fc.Arbitrary<Line> = fc
  .constantFrom(
    'WORKDIR /w',
    'WORKDIR /x/sub',
    'USER user',
    'USER 0',
    'ENV K=1',
    'ENV K=2',
    'ARG V',
    'ARG TARGETARCH',
    'LABEL l=1',
    'ADD ar.tar /y/',
  )
  .map((text) => ({ kind: 'text', text }))
const line: fc.Arbitrary<Line> = fc.oneof(
  { arbitrary: copy, weight: 5 },
  { arbitrary: run, weight: 5 },
  { arbitrary: text, weight: 2 },
)

const base = fc.oneof(
  { arbitrary: fc.constantFrom<string | number>(...BASES), weight: 3 },
  { arbitrary: fc.nat(2), weight: 2 },
)
const stage: fc.Arbitrary<RandomStage> = fc.record({ base, lines: fc.array(line, { minLength: 2, maxLength: 6 }) })

const NAMES = ['a', 'b', 'd/p', 'd/q', 'unused']
const content = fc.constantFrom('1\n', '2\n')

const first: fc.Arbitrary<RandomBuild> = fc.record({
  stages: fc.array(stage, { minLength: 1, maxLength: 3 }),
  files: fc.record(Object.fromEntries(NAMES.map((name) => [name, content]))),
  executable: fc.boolean(),
  epoch: fc.constantFrom(undefined, 1_600_000_000, 1_600_000_000, 1_600_000_000, 1_650_000_000),
  platforms: fc.oneof(
    { weight: 6, arbitrary: fc.constant(['linux/amd64']) },
    { weight: 1, arbitrary: fc.constantFrom(['linux/arm64'], ['linux/amd64', 'linux/arm64']) },
  ),
  buildArg: fc.constantFrom('1', '2'),
  noCache: fc.constant('nothing' as const),
  before: fc.constant('nothing' as const),
})

function inStage(build: RandomBuild, at: number, change: (stage: RandomStage) => RandomStage): RandomBuild {
  return { ...build, stages: build.stages.map((s, i) => (i === at % build.stages.length ? change(s) : s)) }
}

/** What a stage writes, written otherwise: all that depends on it must follow. */
function flipped(line: Line): Line {
  if (line.kind !== 'run' || !WRITING.includes(line.command)) return line
  return { ...line, command: WRITING.find((command) => command !== line.command)! }
}

/** Positions are drawn before it is known how many there are. */
const position = fc.nat(5)
const change: fc.Arbitrary<Change> = fc.oneof(
  {
    weight: 5,
    arbitrary: position.map(
      (at): Change =>
        (build) =>
          inStage(build, at, (s) => ({ ...s, lines: s.lines.map(flipped) })),
    ),
  },
  {
    weight: 4,
    arbitrary: fc.tuple(position, position, line).map(
      ([at, index, added]): Change =>
        (build) =>
          inStage(build, at, (s) => ({ ...s, lines: s.lines.toSpliced(index % (s.lines.length + 1), 1, added) })),
    ),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(position, position, line).map(
      ([at, index, added]): Change =>
        (build) =>
          inStage(build, at, (s) => ({ ...s, lines: s.lines.toSpliced(index % (s.lines.length + 1), 0, added) })),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(position, position).map(
      ([at, index]): Change =>
        (build) =>
          inStage(build, at, (s) => ({ ...s, lines: s.lines.toSpliced(index % (s.lines.length + 1), 1) })),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(position, position, position).map(
      ([at, index, to]): Change =>
        (build) =>
          inStage(build, at, (s) => {
            const again = s.lines[index % Math.max(1, s.lines.length)]
            return again ? { ...s, lines: s.lines.toSpliced(to % (s.lines.length + 1), 0, again) } : s
          }),
    ),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(position, base).map(
      ([at, b]): Change =>
        (build) =>
          inStage(build, at, (s) => ({ ...s, base: b })),
    ),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(fc.constantFrom(...NAMES), content).map(
      ([name, c]): Change =>
        (build) => ({ ...build, files: { ...build.files, [name]: c } }),
    ),
  },
  fc.boolean().map(
    (executable): Change =>
      (build) => ({ ...build, executable }),
  ),
  first.map(
    ({ epoch }): Change =>
      (build) => ({ ...build, epoch }),
  ),
  first.map(
    ({ platforms }): Change =>
      (build) => ({ ...build, platforms }),
  ),
  first.map(
    ({ buildArg }): Change =>
      (build) => ({ ...build, buildArg }),
  ),
  fc.constantFrom<RandomBuild['noCache']>('everything', 'first stage').map(
    (noCache): Change =>
      (build) => ({ ...build, noCache }),
  ),
  {
    weight: 2,
    arbitrary: fc.constantFrom<RandomBuild['before']>('prune', 'prune a part', 'lose snapshots').map(
      (before): Change =>
        (build) => ({ ...build, before }),
    ),
  },
)

/** Builds one after the other, each made of the one before. */
export const builds: fc.Arbitrary<readonly RandomBuild[]> = fc
  .tuple(first, fc.array(fc.array(change, { minLength: 1, maxLength: 2 }), { minLength: 2, maxLength: 4 }))
  .map(([start, steps]) => {
    const all = [start]
    for (const step of steps) {
      const fresh: RandomBuild = { ...all.at(-1)!, noCache: 'nothing', before: 'nothing' }
      all.push(step.reduce((build, make) => make(build), fresh))
    }
    return all
  })

/** The text of the Dockerfile. */
export function dockerfileOf({ stages, epoch }: RandomBuild): string {
  return stages
    .map(({ base, lines }, index) => {
      const earlier = (n: number) => (index === 0 ? 'base-a' : `s${n % index}`)
      const from = typeof base === 'number' ? earlier(base) : base
      const empty = isEmpty(stages, index)
      const text = lines.flatMap((line) => (empty && line.kind === 'run' ? [] : [lineText(line, earlier, epoch)]))
      return [`FROM ${from} AS s${index}`, ...text].join('\n')
    })
    .join('\n\n')
}

/** Whether there is no shell in a stage. */
function isEmpty(stages: readonly RandomStage[], index: number): boolean {
  const { base } = stages[index]!
  if (typeof base === 'string') return base === 'scratch'
  return index > 0 && isEmpty(stages, base % index)
}

function lineText(line: Line, earlier: (n: number) => string, epoch: number | undefined): string {
  if (line.kind === 'text') return line.text
  if (line.kind === 'copy') {
    const from = typeof line.from === 'number' ? earlier(line.from) : line.from === 'image' ? 'base-b' : undefined
    const flags = [
      ...(line.link ? ['--link'] : []),
      ...(from === undefined ? [] : [`--from=${from}`]),
      ...(line.chown === undefined ? [] : [`--chown=${line.chown}`]),
      ...(line.chmod === undefined ? [] : [`--chmod=${line.chmod}`]),
    ]
    return ['COPY', ...flags, ...line.pair].join(' ')
  }
  // Times that nobody has set are others in every build.
  const command = line.command.replace('TIME', epoch === undefined ? '' : '%Y')
  if (line.mount === undefined) return `RUN ${command}`
  const from = typeof line.mount === 'number' ? `,from=${earlier(line.mount)}` : ''
  return `RUN --mount=type=bind,target=/m${from} ${command}`
}

/** Time of all files of contexts: only builds are to bring others about. */
const OLD = new Date('2017-07-14T02:40:00Z')

/** Writes a build's context anew. */
export async function writeContext(directory: string, { files, executable }: RandomBuild): Promise<void> {
  await rm(directory, { recursive: true, force: true })
  const tree: FileTree = { ...files, a: { text: files.a!, mode: executable ? 0o755 : 0o644 } }
  await writeTree(directory, tree)
  await must('tar', ['--mtime=@1400000000', '--owner=5', '--group=6', '-cf', 'ar.tar', 'd'], { cwd: directory })
  for (const name of [...NAMES, 'ar.tar', 'd', '.']) await utimes(join(directory, name), OLD, OLD)
}

/** What the commands above need: the fewer, the faster is a base image unpacked. */
const APPLETS = 'cat chmod chown cp echo find ln ls mkdir rm sh sort stat touch'.split(' ')

/** The base images as layouts: two with other files and accounts, and one like the first but for its config. */
export async function writeBases(directory: string): Promise<Record<string, string>> {
  const rootfs = join(directory, 'rootfs')
  const platforms = ['linux/amd64', 'linux/arm64/v8']
  const contexts: Record<string, string> = {}
  const variants: readonly (readonly [name: string, who: string, uid: number, config: { Env?: string[] }])[] = [
    ['base-a', 'base A', 1000, {}],
    ['base-c', 'base A', 1000, { Env: ['K=base', 'PATH=/bin'] }],
    ['base-b', 'base B', 2000, {}],
  ]
  for (const [name, who, uid, config] of variants) {
    await rm(rootfs, { recursive: true, force: true })
    await writeTree(rootfs, {
      who: who,
      'x/f': who,
      'y/g': who,
      'etc/passwd': `root:x:0:0::/:/bin/sh\nuser:x:${uid}:${uid}::/:/bin/sh\n`,
      'etc/group': `root:x:0:\nstaff:x:${uid / 10}:\n`,
    })
    await mkdir(join(rootfs, 'bin'))
    await copyFile(which('busybox')!, join(rootfs, 'bin/busybox'))
    for (const applet of APPLETS) await symlink('busybox', join(rootfs, 'bin', applet))
    await writeLayout(join(directory, name), { rootfs, config: { Env: ['PATH=/bin'], ...config }, platforms })
    contexts[name] = `oci-layout://${join(directory, name)}`
  }
  return contexts
}
