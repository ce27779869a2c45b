/** What follows from several build flags together: the checks between them, and the final request. */
import type { BuildOptions } from '@tsbuild/builder'
import { UsageError } from '../../usage-error.ts'
import type { GlobalOptions } from '../global.ts'
import { type BuildDraft, type Call, PROGRESS_MODES, type ProgressMode } from './draft.ts'
import type { Output } from './output.ts'

/** A build command line, checked. */
export interface BuildRequest {
  /** Without `signal`, `onProgress`, `stdin` and `stdout`, which the command adds. */
  readonly options: BuildOptions
  /** In place of a build. */
  readonly call: Call | undefined
  /** Rewrite what the check can fix safely. */
  readonly fix: boolean
  readonly progress: ProgressMode
  /** Print the image's id on stdout and nothing else. */
  readonly quiet: boolean
  /** What the stream of an output with `dest=-` is for. */
  readonly stream: 'none' | 'stdout' | 'load'
  readonly iidfile: string | undefined
  readonly metadataFile: string | undefined
  readonly notices: readonly string[]
}

/**
 * @param words the arguments that are no flags: exactly one context
 * @throws UsageError when flags contradict each other
 */
export function resolveBuild(draft: BuildDraft, words: readonly string[], global: GlobalOptions): BuildRequest {
  const context = onlyContext(words)
  const { env } = draft
  const { outputs: _, ...options } = draft.options
  if (context === '-' && options.dockerfile === '-') {
    throw new UsageError("invalid argument: can't use stdin for both build context and dockerfile")
  }
  if (options.locked && options.lock === false)
    throw new UsageError(
      '--locked and --no-lock cannot be used together',
      '--locked=false uses what is locked, and no more',
    )
  const called = resolveCall(draft)
  const outputs = called.call ? { specs: [], stream: 'none' as const } : resolveOutputs(draft)
  const platforms = options.platforms ?? platformFromEnvironment(env)
  const attests = draft.attests.filter((attest) => !attest.disabled).map((attest) => attest.text)
  return {
    options: {
      ...options,
      context,
      buildArgs: withSourceDate(options.buildArgs ?? {}, env),
      ...(platforms ? { platforms } : {}),
      ...(outputs.specs.length > 0 ? { outputs: outputs.specs } : {}),
      ...(attests.length > 0 ? { attests } : {}),
      ...(global.root === undefined ? {} : { root: global.root }),
      ...(global.mirrors === undefined ? {} : { mirrors: global.mirrors }),
      ...(global.caFiles === undefined ? {} : { caFiles: global.caFiles }),
      ...(global.insecureRegistries === undefined ? {} : { insecureRegistries: global.insecureRegistries }),
    },
    ...called,
    ...resolveProgress(draft),
    stream: outputs.stream,
    iidfile: draft.iidfile,
    metadataFile: draft.metadataFile,
    notices: [...draft.notices, ...(called.call ? outputNotices(draft, called.call) : [])],
  }
}

/** What would be made of an image that is not built. */
function outputNotices(draft: BuildDraft, { kind }: Call): string[] {
  const given = {
    '--output': draft.options.outputs?.length,
    '--push': draft.push,
    '--load': draft.load,
    '--iidfile': draft.iidfile,
    '--metadata-file': draft.metadataFile,
  }
  const method = kind === 'describe' ? 'subrequests.describe' : kind
  return Object.entries(given)
    .filter(([, value]) => value)
    .map(([flag]) => `${flag} has no effect with --call=${method}: nothing is built`)
}

function onlyContext(words: readonly string[]): string {
  const [context, extra] = words
  if (context === undefined || context === '') {
    throw new UsageError('tsbuild build requires 1 argument: PATH | URL | -', 'use . for the current directory')
  }
  if (extra !== undefined) {
    throw new UsageError(
      `tsbuild build requires 1 argument, but there are ${words.length}: ${words.slice(0, 4).join(' ')}`,
    )
  }
  return context
}

/** SOURCE_DATE_EPOCH of the environment is a build argument, as in buildx. */
function withSourceDate(
  args: Readonly<Record<string, string>>,
  env: BuildDraft['env'],
): Readonly<Record<string, string>> {
  const epoch = env.SOURCE_DATE_EPOCH
  return epoch === undefined || Object.hasOwn(args, 'SOURCE_DATE_EPOCH') ? args : { ...args, SOURCE_DATE_EPOCH: epoch }
}

function platformFromEnvironment(env: BuildDraft['env']): readonly string[] | undefined {
  const platform = env.DOCKER_DEFAULT_PLATFORM
  return platform ? [platform] : undefined
}

/** Applies --push and --load, and gives every `docker` output without a destination the stream that is loaded. */
function resolveOutputs(draft: BuildDraft): { specs: readonly Output[]; stream: BuildRequest['stream'] } {
  let specs = draft.options.outputs ?? []
  if (draft.push) specs = withPush(specs, draft.options.tags ?? [])
  if (draft.load && !specs.some(isLoad)) specs = [...specs, { type: 'docker', attrs: {} }]
  const load = specs.some(isLoad)
  const toStdout = specs.filter((output) => output.attrs.dest === '-').length
  if (toStdout + Number(load) > 1) {
    throw new UsageError('only one output can go to stdout or be loaded', 'write the others to files with dest=FILE')
  }
  if (toStdout > 0 && draft.quiet) {
    throw new UsageError(
      '--quiet prints the image id on stdout, where an output goes already',
      'use --iidfile, or --progress quiet',
    )
  }
  return {
    specs: specs.map((output) =>
      isLoad(output) ? { type: output.type, attrs: { ...output.attrs, dest: '-' } } : output,
    ),
    stream: load ? 'load' : toStdout > 0 ? 'stdout' : 'none',
  }
}

const isLoad = (output: Output): boolean => output.type === 'docker' && !output.attrs.dest

function withPush(specs: readonly Output[], tags: readonly string[]): readonly Output[] {
  const named = specs.some((output) => output.attrs.name)
  if (tags.length === 0 && !named) {
    throw new UsageError('tag is needed when pushing to registry', 'add -t REGISTRY/NAME:TAG')
  }
  if (specs.some((output) => output.type === 'registry')) return specs
  if (!specs.some((output) => output.type === 'image')) return [...specs, { type: 'registry', attrs: {} }]
  return specs.map((output) =>
    output.type === 'image' ? { type: output.type, attrs: { ...output.attrs, push: 'true' } } : output,
  )
}

function resolveCall(draft: BuildDraft): Pick<BuildRequest, 'call' | 'fix'> {
  if (draft.check && draft.call && draft.call.kind !== 'check') {
    throw new UsageError(`--check and --call=${draft.call.kind} cannot be used together`)
  }
  const call = draft.call ?? (draft.check ? { kind: 'check', format: 'text', ignoreStatus: false } : undefined)
  if (draft.fix && call?.kind !== 'check') throw new UsageError('--fix needs --check')
  return { call, fix: draft.fix }
}

function resolveProgress(draft: BuildDraft): Pick<BuildRequest, 'progress' | 'quiet'> {
  if (draft.quiet) {
    if (draft.progress && draft.progress !== 'auto' && draft.progress !== 'quiet') {
      throw new UsageError(`--progress=${draft.progress} and --quiet cannot be used together`)
    }
    return { progress: 'quiet', quiet: true }
  }
  const inherited = PROGRESS_MODES.find((mode) => mode === draft.env.BUILDKIT_PROGRESS)
  return { progress: draft.progress ?? inherited ?? 'auto', quiet: false }
}
