/** The caller's options, checked and completed: the only place that reads the environment. */

import { existsSync, statSync } from 'node:fs'
import { isIP } from 'node:net'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import {
  formatPlatform,
  hostPlatform,
  isRegistryError,
  normalizePlatform,
  type Platform,
  parsePlatform,
} from '@tsbuild/registry-client'
import type { PreparedExport, PreparedImport } from '../cache/backend.ts'
import { prepareCacheFrom, prepareCacheTo } from '../cache/spec.ts'
import { BuildError, cancelled, systemFailed } from '../errors.ts'
import { type Annotation, annotationPlace, isOfIndex } from '../export/annotations.ts'
import type { PreparedOutput } from '../export/exporter.ts'
import { type FailureOutput, prepareFailureOutput } from '../export/failed-files.ts'
import { prepareOutput } from '../export/index.ts'
import { normalizedName, refuseTag } from '../export/names.ts'
import type { RunStep } from '../graph/step.ts'
import type { BuildOptions, CacheSpec, DockerfileOptions } from '../options.ts'
import { storeErrors } from '../store/errors.ts'
import { isSystemError, systemReason } from '../util/system-error.ts'
import { optionErrors } from './option-types.ts'
import { unsetSecrets } from './secrets.ts'

export { optionErrors }

type Env = Readonly<Record<string, string | undefined>>

/** Where state is kept: `$TSBUILD_ROOT`, else `$XDG_DATA_HOME/tsbuild`, else `~/.local/share/tsbuild`. */
export function stateRoot(root: string | undefined, env: Env): string {
  if (root) return resolve(root)
  if (env.TSBUILD_ROOT) return resolve(env.TSBUILD_ROOT)
  return join(env.XDG_DATA_HOME || join(env.HOME || homedir(), '.local/share'), 'tsbuild')
}

/** The directory of the docker config file. */
function dockerConfigDirectory(option: string | undefined, env: Env): string {
  return option ?? resolve(env.DOCKER_CONFIG ?? join(env.HOME || homedir(), '.docker'))
}

/** What every call that reads a Dockerfile needs to know. */
export interface Settings {
  readonly options: DockerfileOptions
  readonly env: Env
  readonly root: string
  readonly dockerConfig: string
  readonly platforms: readonly Platform[]
  readonly implicitPlatform: boolean
  readonly buildPlatform: Platform
  readonly buildArgs: ReadonlyMap<string, string>
  /** Files with the keys of ssh hosts. */
  readonly sshKnownHosts: readonly string[]
}

export function resolveSettings(options: DockerfileOptions): Settings {
  const env = options.env ?? process.env
  const buildPlatform = normalizePlatform({ ...hostPlatform(), os: 'linux' })
  const wanted = (options.platforms ?? []).map(platformOption)
  return {
    options,
    env,
    root: stateRoot(options.root, env),
    dockerConfig: dockerConfigDirectory(options.dockerConfig, env),
    platforms: wanted.length > 0 ? wanted : [buildPlatform],
    implicitPlatform: wanted.length === 0,
    buildPlatform,
    buildArgs: new Map(Object.entries(options.buildArgs ?? {})),
    sshKnownHosts: knownHosts(options.sshKnownHosts, env),
  }
}

/** The files that were named, which have to be there, or those that ssh itself reads. */
function knownHosts(files: readonly string[] | undefined, env: Env): string[] {
  if (files === undefined) {
    const usual = [join(env.HOME || homedir(), '.ssh/known_hosts'), '/etc/ssh/ssh_known_hosts']
    return usual.filter((path) => existsSync(path))
  }
  return files.map((file) => {
    const path = resolve(file)
    if (statSync(path, { throwIfNoEntry: false })?.isFile()) return path
    throw optionErrors.optionInvalid([`ssh-known-hosts: ${JSON.stringify(file)} is no file`])
  })
}

function platformOption(text: string): Platform {
  try {
    // As buildx does, which drops the version of the operating system on its way to the builder.
    const { 'os.version': _, ...platform } = parsePlatform(text)
    return platform
  } catch (error) {
    throw optionErrors.optionInvalid([`invalid platform ${JSON.stringify(text)}: ${(error as Error).message}`], {
      hint: 'platforms look like linux/amd64, linux/arm64 or linux/arm/v7',
    })
  }
}

/** What a build needs beside {@link Settings}. */
export interface BuildSettings extends Settings {
  readonly options: BuildOptions
  readonly tags: readonly string[]
  readonly outputs: readonly PreparedOutput[]
  readonly failureOutput: FailureOutput | undefined
  readonly extraHosts: RunStep['extraHosts']
  readonly noCache: true | ReadonlySet<string>
  readonly annotations: readonly Annotation[]
  readonly cacheFrom: readonly PreparedImport[]
  readonly cacheTo: readonly PreparedExport[]
  /** What will have no effect, in words. */
  readonly warnings: readonly string[]
}

export function resolveBuildSettings(options: BuildOptions): BuildSettings {
  const settings = resolveSettings(options)
  if (options.noCache && options.noCacheFilter?.length)
    throw optionErrors.optionInvalid(['--no-cache and --no-cache-filter cannot currently be used together'])
  refuseUnsupported(options)
  const tags = (options.tags ?? []).map(tagOption)
  const specs = options.outputs?.length
    ? options.outputs
    : [{ type: tags.length > 0 ? ('image' as const) : ('cacheonly' as const), attrs: {} }]
  const outputs = specs.map(prepareOutput)
  const annotations = annotationOptions(options.annotations ?? [])
  const cacheFrom = prepareCacheFrom(options.cacheFrom ?? [], settings.env)
  const cacheTo = prepareCacheTo(cacheToOption(settings), settings.env)
  return {
    ...settings,
    options,
    tags: [...new Set(tags)],
    outputs,
    failureOutput: options.outputOnFailure && prepareFailureOutput(options.outputOnFailure),
    extraHosts: (options.addHosts ?? []).map(hostOption),
    noCache: options.noCache === true ? true : new Set((options.noCacheFilter ?? []).map((s) => s.toLowerCase())),
    annotations,
    cacheFrom,
    cacheTo,
    warnings: [
      ...checkOutputs(outputs, annotations, settings),
      ...[...cacheFrom, ...cacheTo].flatMap(({ warnings }) => warnings),
      ...(cacheTo.some(isInline) && outputs.every(({ annotations }) => annotations === undefined)
        ? ['--cache-to type=inline has no effect: no output is an image']
        : []),
      ...unsetSecrets(options.secrets ?? [], settings.env),
    ],
  }
}

/** The build argument BUILDKIT_INLINE_CACHE is `type=inline` in other words. */
function cacheToOption({ options, buildArgs }: Settings): readonly CacheSpec[] {
  const { cacheTo = [] } = options as BuildOptions
  const inline = /^(1|t|true)$/i.test(buildArgs.get('BUILDKIT_INLINE_CACHE') ?? '')
  return inline && !cacheTo.some(({ type }) => type === 'inline')
    ? [...cacheTo, { type: 'inline', attrs: {} }]
    : cacheTo
}

/** Whether a cache is written into the image. */
export function isInline({ open }: PreparedExport): boolean {
  return open === undefined
}

/** What would silently be missing from the result, or cannot be done, is refused. */
function refuseUnsupported(options: BuildOptions): void {
  if (options.onError === 'shell' && options.openConsole === undefined)
    throw optionErrors.optionInvalid(['on-error shell needs a terminal'], {
      hint: 'with --on-error keep, tsbuild debug can open a shell later',
    })
  if (options.ociRuntime !== undefined && (options.isolation === 'namespaces' || options.isolation === 'chroot'))
    throw optionErrors.optionInvalid([`an OCI runtime has no effect with isolation ${options.isolation}`], {
      hint: 'use --isolation oci',
    })
}

function tagOption(tag: string): string {
  try {
    return normalizedName(tag)
  } catch (error) {
    throw optionErrors.optionInvalid([`invalid tag ${JSON.stringify(tag)}: ${(error as Error).message}`], {
      hint: 'tags look like name, name:tag or host:port/path/name:tag, in lower case',
    })
  }
}

/** `host:ip` or `host=ip`; `host-gateway` is not known without a bridge network and refused. */
export function hostOption(text: string): RunStep['extraHosts'][number] {
  const match = /^([A-Za-z0-9_.-]+)[:=](.+)$/.exec(text)
  const ip = match?.[2]?.replace(/^\[(.*)\]$/, '$1') ?? ''
  if (!match || !isIP(ip))
    throw optionErrors.optionInvalid([`invalid extra host ${JSON.stringify(text)}`], {
      hint: '--add-host takes NAME:IP',
    })
  return { host: match[1]!, ip }
}

/** `[TYPE[PLATFORM],…:]KEY=VALUE`, where a type is one of {@link ANNOTATION_TARGETS}, `manifest` by default. */
function annotationOptions(list: readonly string[]): Annotation[] {
  return list.flatMap((text) => {
    const equals = text.indexOf('=')
    if (equals < 0) throw optionErrors.optionInvalid([`invalid annotation ${JSON.stringify(text)}, expected key=value`])
    const [name, value] = [text.slice(0, equals), text.slice(equals + 1)]
    const colon = name.indexOf(':')
    const places = colon < 0 ? ['manifest'] : name.slice(0, colon).split(',')
    const key = name.slice(colon + 1)
    if (key === '') throw optionErrors.optionInvalid([`invalid annotation ${JSON.stringify(text)}: it has no key`])
    return places.map((place) => {
      try {
        return { ...annotationPlace(place), key, value }
      } catch (error) {
        throw optionErrors.optionInvalid([(error as Error).message], { cause: error })
      }
    })
  })
}

/** What of the outputs and annotations contradicts the rest of the build. @throws BuildError OPTION_INVALID */
function checkOutputs(
  outputs: readonly PreparedOutput[],
  annotations: readonly Annotation[],
  { options, platforms }: Settings,
): string[] {
  const ofImages = outputs.flatMap((output) => (output.annotations ? [output.annotations] : []))
  const all = ofImages.length === 0 ? [] : [...annotations, ...ofImages.flat()]
  if (platforms.length === 1 && all.some(isOfIndex))
    throw optionErrors.optionInvalid(['index annotations not supported for single platform export'], {
      hint: 'annotate the manifest',
    })
  if (outputs.some((output) => output.pushByDigest))
    for (const tag of (options as BuildOptions).tags ?? []) refuseTag(tag)
  const built = new Set(platforms.map(formatPlatform))
  const absent = new Set(all.flatMap(({ platform }) => (platform && !built.has(platform) ? [platform] : [])))
  return [
    ...outputs.flatMap((output) => output.warnings.map((warning) => `output type=${output.type}: ${warning}`)),
    ...(annotations.length > 0 && ofImages.length === 0 ? ['annotations have no effect: no output is an image'] : []),
    ...[...absent].map((platform) => `annotations for ${platform} have no effect: it is not built`),
  ]
}

/** Reasons why nothing can be written, whatever the path. */
const UNWRITABLE: ReadonlySet<string | undefined> = new Set(['ENOSPC', 'EDQUOT', 'EROFS', 'EIO'])

/** Calls on open files say no path: outputs tell of theirs themselves, all other files that are written are the store's. */
function isOfStore({ path, code }: NodeJS.ErrnoException, root: string | undefined): boolean {
  if (path === undefined) return UNWRITABLE.has(code)
  return root !== undefined && (path === root || path.startsWith(`${root}/`))
}

/** What is known of a call that failed. */
export interface FailedCall {
  readonly signal?: AbortSignal | undefined
  /** Directory of the store. */
  readonly root?: string | undefined
}

/**
 * Any error as a BuildError; unexpected ones keep their stack as the cause. What fails once the caller has aborted the
 * call fails for that reason.
 */
export function asBuildError(error: unknown, { signal, root }: FailedCall = {}): BuildError {
  if (error instanceof BuildError) return error
  // What ended a session is why the rest failed.
  if (error instanceof SuppressedError && error.error instanceof BuildError) return error.error
  // Else what came first is: that something could not be ended after it follows from it.
  if (error instanceof SuppressedError) return asBuildError(error.suppressed, { signal, root })
  if (signal?.aborted) return cancelled([], { cause: signal.reason })
  if (isSystemError(error)) {
    if (isOfStore(error, root))
      return storeErrors.storeUnwritable([error.path ?? 'a file', systemReason(error), error.code], { cause: error })
    const what = error.path ?? (error as { address?: string }).address ?? error.syscall
    return systemFailed([what ?? '', systemReason(error)], { cause: error })
  }
  if (isRegistryError(error)) return new BuildError(error.code, error.message, { hint: error.hint, cause: error })
  return new BuildError('INTERNAL', error instanceof Error ? error.message : String(error), { cause: error })
}
