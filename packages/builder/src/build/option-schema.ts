/**
 * The options of every call: the one table that they are checked against, once, where they enter the library. The types
 * say when an option is missing here.
 */
import { isRemoteContext } from '../context/remote.ts'
import type {
  BuildOptions,
  CacheSpec,
  DebugOptions,
  DiagnoseOptions,
  DockerfileOptions,
  ExplainOptions,
  OpenOptions,
  OutputSpec,
  Place,
  RunImageOptions,
  StoreOptions,
} from '../options.ts'
import type { ResourceLimits, Ulimit } from '../sandbox/executor.ts'
import { available, limitProblem } from '../sandbox/limits/check.ts'
import { ulimitCeilings, ulimitProblem } from '../sandbox/limits/ulimits.ts'
import { type CollectionSettings, FILTER_KEYS, type PruneOptions, type UsageFilter } from '../store/index.ts'
import type { LockOptions } from './lock-options.ts'
import {
  bytesOrText,
  type Check,
  count,
  flag,
  func,
  having,
  listOf,
  milliseconds,
  oneOf,
  optionErrors,
  path,
  pathUnless,
  type Spot,
  shape,
  tableOf,
  text,
} from './option-types.ts'

/** A check for each key of a type. */
type Table<T> = { readonly [K in keyof Required<T>]: Check }

const signal = having('addEventListener', 'an AbortSignal')
const readable = having('pipe', 'a readable stream')
const writable = having('write', 'a writable stream')
/** Undefined values of an environment are variables that are not set. */
const environment: Check = (value, spot) =>
  tableOf((item, at) => (item === undefined ? undefined : text(item, at)))(value, spot)
const isolation = oneOf('auto', 'namespaces', 'oci', 'chroot')
/** A name that is looked up in PATH, or a path. */
const program = pathUnless((name) => name !== '' && !name.includes('/'))
/** A directory, or what stands for something else than a directory. */
const source = pathUnless((name) => isRemoteContext(name) || /^(docker-image:\/\/|target:)/.test(name))
const context: Check = (value, spot) =>
  typeof value === 'string' && value.startsWith('oci-layout://') ? layout(value, spot) : source(value, spot)

const layout = (value: string, spot: Spot): string => {
  const [, directory = '', rest = ''] =
    /^oci-layout:\/\/(.*?)((?::[\w][\w.-]{0,127})?(?:@sha\d+:[0-9a-f]+)?)$/.exec(value) ?? []
  return `oci-layout://${directory === '' ? '' : path(directory, spot)}${rest}`
}

const output: Check = (value, spot) => {
  const { type, attrs = {} } = shape({ type: text, attrs: tableOf(attribute) } satisfies Table<OutputSpec>, ['type'])(
    value,
    spot,
  ) as { type: string; attrs?: Record<string, string> }
  const at = { ...spot, path: `${spot.path}.attrs["dest"]` }
  return { type, attrs: attrs.dest ? { ...attrs, dest: pathUnless((name) => name === '-')(attrs.dest, at) } : attrs }
}
const attribute: Check = (value, spot) => (value instanceof URL ? path(value, spot) : text(value, spot))
/** Types and attributes are checked in cache/spec.ts. The paths are those of a directory. */
const cache: Check = (value, spot) => {
  const fields = { type: text, attrs: tableOf(attribute) } satisfies Table<CacheSpec>
  const { type, attrs } = shape(fields, ['type', 'attrs'])(value, spot) as CacheSpec
  if (type !== 'local') return { type, attrs }
  const places = Object.entries(attrs).filter(([name, place]) => /^(?:src|dest)$/i.test(name) && place !== '')
  const absolute = places.map(([name, place]) => [
    name,
    path(place, { ...spot, path: `${spot.path}.attrs[${JSON.stringify(name)}]` }),
  ])
  return { type, attrs: { ...attrs, ...Object.fromEntries(absolute) } }
}
/** `type=provenance|sbom,…` */
const attest: Check = (value, spot) => {
  const found = text(value, spot) as string
  const type = /(?:^|,)type=([^,]*)/.exec(found)?.[1]
  oneOf('provenance', 'sbom')(type ?? '', { ...spot, path: `${spot.path}: type` })
  return found
}

const secret: Check = (value, spot) => {
  const fields = { id: text, src: path, env: text, value: bytesOrText, get: func }
  const found = shape(fields, ['id'])(value, spot) as object
  const sources = ['src', 'env', 'value', 'get'].filter((key) => key in found)
  if (sources.length === 1) return found
  throw optionErrors.optionInvalid([`${spot.path}: expected one of src, env, value and get`])
}

/** One mirror of a registry, or several. */
const mirrors: Check = tableOf((value, spot) => (Array.isArray(value) ? listOf(text) : text)(value, spot))

const lockFile: Check = (value, spot) => (value === false ? value : path(value, spot))
const updates: Check = (value, spot) => (typeof value === 'boolean' ? value : listOf(text)(value, spot))

const dockerfile: Table<DockerfileOptions> = {
  context,
  dockerfile: pathUnless((name) => name === '-'),
  dockerfileText: text,
  buildArgs: tableOf(text),
  target: text,
  platforms: listOf(text),
  buildContexts: tableOf(context),
  secrets: listOf(secret),
  ssh: listOf(shape({ id: text, paths: listOf(path) }, ['id', 'paths'])),
  sshKnownHosts: listOf(path),
  stdin: readable,
  signal,
  onProgress: func,
  cwd: path,
  root: path,
  mirrors,
  mirrorsOnly: flag,
  caFiles: listOf(path),
  insecureRegistries: listOf(text),
  insecurePull: flag,
  pull: flag,
  lock: lockFile,
  dockerConfig: path,
  env: environment,
}

const amounts = shape({
  memory: count(),
  memorySwap: count(-1),
  cpuShares: count(),
  cpuPeriod: count(),
  cpuQuota: count(-1),
  cpusetCpus: text,
  cpusetMems: text,
  pids: count(-1),
} satisfies Table<ResourceLimits>)

/** Limits that no machine, or not this one, can have are found now, not by the RUN that is to have them. */
function possible(limits: ResourceLimits): ResourceLimits {
  const problem = limitProblem(limits, available())
  if (problem !== undefined) throw optionErrors.optionInvalid([problem])
  return limits
}

const ulimitList = listOf(shape({ name: text, soft: count(-1), hard: count(-1) }, ['name', 'soft', 'hard']))
const ulimits: Check = (value, spot) => {
  const wanted = ulimitList(value, spot) as Ulimit[]
  const found = wanted.length === 0 ? undefined : ulimitProblem(wanted, ulimitCeilings())
  if (found !== undefined) throw optionErrors.optionInvalid([found.problem], { hint: found.hint })
  return wanted
}

/** Zero is the usual size, as in docker: the kernel would take it for no limit at all. */
const shmSize: Check = (value, spot) => count()(value, spot) || undefined

/** A path below a hierarchy of control groups, or below the group of this process; '' is as good as absent. */
const cgroupParent: Check = (value, spot) => {
  const name = text(value, spot) as string
  if (name.includes('\0')) throw optionErrors.optionInvalid([`${spot.path}: a path cannot hold a NUL character`])
  if (name.split('/').includes('..'))
    throw optionErrors.optionInvalid([`cgroup parent ${JSON.stringify(name)} must not have ".." in it`], {
      hint: 'a path that begins with / counts from the top of the hierarchy, another one from the group of tsbuild itself',
    })
  return name || undefined
}

const limits = {
  addHosts: listOf(text),
  dns: listOf(text),
  shmSize,
  ulimits,
  resources: (value: unknown, spot: Spot) => possible(amounts(value, spot) as ResourceLimits),
  cgroupParent,
  isolation,
  ociRuntime: program,
}

const build: Table<BuildOptions> = {
  ...dockerfile,
  ...limits,
  tags: listOf(text),
  labels: tableOf(text),
  annotations: listOf(text),
  outputs: listOf(output),
  locked: flag,
  noCache: flag,
  noCacheFilter: listOf(text),
  network: oneOf('default', 'none', 'host', 'isolated'),
  allow: listOf(oneOf('network.host', 'security.insecure')),
  allowSecretsInLayers: flag,
  runTimeout: milliseconds,
  runRetries: count(),
  onError: oneOf('fail', 'keep', 'shell'),
  openConsole: func,
  outputOnFailure: output,
  explain: flag,
  attests: listOf(attest),
  cacheFrom: listOf(cache),
  cacheTo: listOf(cache),
  stdout: writable,
}

const store: Table<StoreOptions> = { cwd: path, root: path, env: environment }

const open: Table<OpenOptions> = { ...store, readOnly: flag }

const explained: Table<ExplainOptions> = { ...store, context, dockerfile: dockerfile.dockerfile, target: text }

const run: Table<RunImageOptions> = {
  ...limits,
  ...store,
  signal,
  onProgress: func,
  mirrors,
  caFiles: listOf(path),
  insecureRegistries: listOf(text),
  dockerConfig: path,
  image: text,
  pull: oneOf('always', 'missing', 'never'),
  command: listOf(text),
  entrypoint: listOf(text),
  variables: listOf(text),
  volumes: listOf(shape({ source: path, target: text, readonly: flag }, ['source', 'target'])),
  tmpfs: listOf(shape({ target: text, size: count(), mode: count(), exec: flag }, ['target'])),
  readonlyRoot: flag,
  capAdd: listOf(text),
  capDrop: listOf(text),
  groups: listOf(text),
  init: flag,
  network: oneOf('host', 'none', 'isolated'),
  user: text,
  workdir: text,
  hostname: text,
  platform: text,
  tty: flag,
  stdin: readable,
  stdout: writable,
  stderr: writable,
}

const terminal = shape({ stdin: readable, stdout: writable, stderr: writable, tty: flag }, ['stdout', 'stderr', 'tty'])

const condition = shape(
  {
    key: oneOf(...FILTER_KEYS),
    operator: oneOf('=', '!=', '~=', 'true', 'false'),
    value: text,
  } satisfies Table<UsageFilter>,
  ['key', 'operator'],
)
const filter: Check = (value, spot) => {
  const found = condition(value, spot) as UsageFilter
  try {
    if (found.operator === '~=') new RegExp(found.value ?? '')
  } catch (error) {
    throw optionErrors.optionInvalid([`${spot.path}: ${(error as Error).message}`])
  }
  return found
}
const prune: Table<StoreOptions & PruneOptions> = {
  ...store,
  signal,
  all: flag,
  filters: listOf(filter),
  maxUsedSpace: count(),
  minFreeSpace: count(),
  reservedSpace: count(),
  until: count(),
  dryRun: flag,
}
const space: Check = (value, spot) =>
  typeof value === 'object' ? shape({ percent: count() }, ['percent'])(value, spot) : count()(value, spot)
const collection: Table<CallOptions['collect']> = {
  ...store,
  signal,
  dryRun: flag,
  maxUsedSpace: space,
  minFreeSpace: space,
  reservedSpace: space,
}
const debug: Table<DebugOptions> = {
  ...store,
  signal,
  name: text,
  command: listOf(text),
  console: terminal,
  isolation,
  ociRuntime: program,
}
const diagnose: Table<DiagnoseOptions> = { ...store, signal, isolation, ociRuntime: program }

const { target: _target, pull: _pull, ...sources } = dockerfile
const lock: Table<LockOptions> = { ...sources, lock: path, update: updates, dryRun: flag }

/** The Dockerfile of a context that is fetched is a path in it. A context that is not named is the current directory now. */
const withContext =
  (table: Readonly<Record<string, Check>>): Check =>
  (value, spot) => {
    const named = (value as DockerfileOptions<Place> | undefined)?.context
    const fetched = named !== undefined && isRemoteContext(String(named)) && named !== '-'
    const checked = shape(fetched ? { ...table, dockerfile: text } : table)(value, spot) as DockerfileOptions
    return { context: spot.cwd, ...checked }
  }

const CALLS = {
  build: withContext(build),
  lock: withContext(lock),
  run: shape(run, ['image', 'stdout', 'stderr']),
  store: shape({ ...store, signal }),
  usage: shape({ ...store, signal, filters: prune.filters, until: prune.until }),
  collect: shape(collection),
  open: shape(open),
  explain: shape(explained),
  prune: shape(prune),
  debug: shape(debug, ['name', 'console']),
  diagnose: shape(diagnose),
} as const

/** The options of a call as the library uses them: checked, with absolute paths. */
export interface CallOptions {
  build: BuildOptions
  lock: LockOptions
  run: RunImageOptions
  store: StoreOptions & Pick<PruneOptions, 'signal'>
  usage: StoreOptions & Pick<PruneOptions, 'signal' | 'filters' | 'until'>
  collect: StoreOptions & CollectionSettings & Pick<PruneOptions, 'signal' | 'dryRun'>
  open: OpenOptions
  explain: ExplainOptions
  prune: StoreOptions & PruneOptions
  debug: DebugOptions
  diagnose: DiagnoseOptions
}

/**
 * Checks the options of a call where they enter the library: unknown keys, wrong types. Relative paths are resolved now.
 *
 * @throws BuildError OPTION_INVALID with the path of the option and what is expected there
 */
export function checkOptions<C extends keyof CallOptions>(call: C, options: unknown): CallOptions[C] {
  const here = process.cwd()
  const named = typeof options === 'object' && options !== null ? (options as { cwd?: Place }).cwd : undefined
  const cwd = named === undefined ? here : (path(named, { path: 'cwd', cwd: here }) as string)
  return CALLS[call](options, { path: '', cwd }) as CallOptions[C]
}
