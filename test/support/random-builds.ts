/**
 * Random builds, for properties of the cache: a Dockerfile of several stages and changes of it, of the context and of how
 * it is built. Few names and short stages, so that what is drawn meets itself again: the same instruction above other
 * ones, on other bases, twice in one stage. Most changes are far below what looks at them.
 */
import fc from 'fast-check'

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
  | { readonly kind: 'run'; readonly command: string; readonly mount: number | 'context' | 'cache' | undefined }
  | { readonly kind: 'text'; readonly text: string }

export interface RandomStage {
  /** A base image by its name, or an earlier stage by its number. */
  readonly base: string | number
  readonly lines: readonly Line[]
}

/** What files of the context are beside their content. */
export interface Attributes {
  /** Mode of `a`. */
  readonly mode: number
  /** An extended attribute of `a`. */
  readonly xattr: string | undefined
  /** Where `d/l` leads. */
  readonly link: string
}

/** One build as it is told to the library. */
export interface RandomBuild {
  readonly stages: readonly RandomStage[]
  /** Content of files of the context. */
  readonly files: Readonly<Record<string, string>>
  readonly attributes: Attributes
  readonly epoch: number | undefined
  readonly platforms: readonly string[]
  readonly buildArg: string
  readonly noCache: 'nothing' | 'everything' | 'first stage'
  /**
   * Done to the store before it: pruned, some of its snapshots lost, or the same build begun and killed when it has
   * printed so many lines.
   */
  readonly before: 'nothing' | 'prune' | 'prune a part' | 'lose snapshots' | number
}

/** @param all the builds until now; the last one is changed */
type Change = (build: RandomBuild, all: readonly RandomBuild[]) => RandomBuild

const BASES = ['base-a', 'base-b', 'base-a', 'base-b', 'base-c', 'scratch'] as const

/** Sources and where they go: files stay files and directories directories, or most builds would fail. */
const FILES = ['/x/f', '/y/g', '/who', '/x/', '/y/']
const fromContext = fc.oneof(
  fc.tuple(fc.constantFrom('a', 'b'), fc.constantFrom(...FILES)),
  fc.tuple(fc.constantFrom('d', 'd/', '.'), fc.constantFrom('/x/', '/y/', '/w/')),
)
const fromRootfs = fc.oneof(
  fc.tuple(fc.constantFrom('/who', '/x/f', '/y/g'), fc.constantFrom(...FILES)),
  fc.tuple(fc.constantFrom('/x', '/y', '/etc', '/'), fc.constantFrom('/x/', '/y/', '/w/')),
)

/** @param share how many of so many have none */
const rarely = <T>(share: number, value: fc.Arbitrary<T>) =>
  fc.oneof({ weight: share, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: value })

const copyFlags = {
  link: fc.constantFrom(true, true, true, false),
  chown: rarely(5, fc.constantFrom('7:8', 'user', 'user:staff', '9')),
  chmod: rarely(9, fc.constantFrom('600', '4755', 'u+x')),
}
/** Those that anything is built upon: so few that they come again. */
const linked: fc.Arbitrary<Line> = fc.constantFrom('a /x/f', 'b /y/g', 'a /y/g').map((text) => ({
  kind: 'copy',
  link: true,
  from: 'context',
  pair: text.split(' ') as [string, string],
  chown: undefined,
  chmod: undefined,
}))
const copy: fc.Arbitrary<Line> = fc.oneof(
  { weight: 3, arbitrary: linked },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('copy' as const),
      from: fc.constant('context' as const),
      pair: fromContext,
      ...copyFlags,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('copy' as const),
      from: fc.oneof({ weight: 4, arbitrary: fc.nat(2) }, { weight: 1, arbitrary: fc.constant('image' as const) }),
      pair: fromRootfs,
      ...copyFlags,
    }),
  },
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
const commands = (weight: number, all: readonly string[], mount?: 'cache') => ({
  weight,
  arbitrary: fc.constantFrom(...all).map((command): Line => ({ kind: 'run', command, mount })),
})
const run: fc.Arbitrary<Line> = fc.oneof(
  commands(5, WRITING),
  commands(5, READING),
  commands(4, OTHER),
  // What a cache holds is nobody's content: what comes of it must not depend on it.
  commands(1, ['echo $V >> /m/log; cat /who /x/f > /seen 2>/dev/null || true'], 'cache'),
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('run' as const),
      command: fc.constantFrom(...MOUNTED),
      mount: fc.oneof(fc.nat(2), fc.nat(2), fc.constant('context' as const)),
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
  { arbitrary: copy, weight: 6 },
  { arbitrary: run, weight: 6 },
  { arbitrary: text, weight: 1 },
)

const base = fc.oneof(
  { arbitrary: fc.constantFrom<string | number>(...BASES), weight: 3 },
  { arbitrary: fc.nat(2), weight: 2 },
)
const stage: fc.Arbitrary<RandomStage> = fc
  .tuple(base, fc.array(line, { minLength: 2, maxLength: 4 }), rarely(1, fc.nat(4)))
  // Some have an instruction twice.
  .map(([base, lines, again]) => ({
    base,
    lines: again === undefined ? lines : [...lines, lines[again % lines.length]!],
  }))

export const NAMES = ['a', 'b', 'd/p', 'd/q', 'unused'] as const
const content = fc.constantFrom('1\n', '2\n')

const attributes: fc.Arbitrary<Attributes> = fc.record({
  mode: fc.constantFrom(0o644, 0o755, 0o600),
  xattr: fc.constantFrom(undefined, '1', '2'),
  link: fc.constantFrom('p', 'q', '/who'),
})

const first: fc.Arbitrary<RandomBuild> = fc.record({
  stages: fc.array(stage, { minLength: 1, maxLength: 3 }),
  files: fc.record(Object.fromEntries(NAMES.map((name) => [name, content]))),
  attributes,
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
    weight: 8,
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
    weight: 5,
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
  {
    weight: 2,
    arbitrary: attributes.map(
      (attributes): Change =>
        (build) => ({ ...build, attributes }),
    ),
  },
  // What was built before, again.
  {
    weight: 3,
    arbitrary: position.map(
      (at): Change =>
        (_, all) =>
          all[at % all.length]!,
    ),
  },
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
    weight: 3,
    arbitrary: fc
      .oneof(fc.constantFrom<RandomBuild['before']>('prune', 'prune a part', 'lose snapshots'), fc.nat(20))
      .map(
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
      const plain: RandomBuild = { ...all.at(-1)!, noCache: 'nothing', before: 'nothing' }
      const next = step.reduce((build, make) => make(build, all), plain)
      if (JSON.stringify(next) !== JSON.stringify(all.at(-1))) all.push(next)
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
  if (line.mount === 'cache') return `RUN --mount=type=cache,target=/m ${command}`
  const from = typeof line.mount === 'number' ? `,from=${earlier(line.mount)}` : ''
  return `RUN --mount=type=bind,target=/m${from} ${command}`
}
