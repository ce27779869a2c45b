/** The caller's options, checked and completed: the only place that reads the environment. */

import { existsSync, statSync } from 'node:fs'
import { isIP } from 'node:net'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import {
  formatPlatform,
  hostPlatform,
  normalizePlatform,
  type Platform,
  parsePlatform,
  trustingFetch,
} from '@tsbuild/registry-client'
import { BuildError, cancelled, defineError } from '../errors.ts'
import { type Annotation, annotationPlace, isOfIndex } from '../export/annotations.ts'
import type { PreparedOutput } from '../export/exporter.ts'
import { type FailureOutput, prepareFailureOutput } from '../export/failed-files.ts'
import { prepareOutput } from '../export/index.ts'
import { normalizedName, refuseTag } from '../export/names.ts'
import type { BuildOptions, DockerfileOptions } from '../options.ts'
import { storeErrors } from '../store/errors.ts'

export const optionErrors = {
  optionInvalid: defineError({
    code: 'OPTION_INVALID',
    doc: 'An option of the call or the command line has a value that cannot be used.',
    message: (problem: string) => problem,
  }),
  optionUnsupported: defineError({
    code: 'OPTION_UNSUPPORTED',
    doc: 'An option that other builders have, or that is planned, and that this version cannot do.',
    message: (option: string) => `${option} is not supported by this version`,
  }),
}

type Env = Readonly<Record<string, string | undefined>>

/** Where state is kept: `$TSBUILD_ROOT`, else `$XDG_DATA_HOME/tsbuild`, else `~/.local/share/tsbuild`. */
export function stateRoot(root: string | undefined, env: Env): string {
  if (root) return resolve(root)
  if (env.TSBUILD_ROOT) return resolve(env.TSBUILD_ROOT)
  return join(env.XDG_DATA_HOME || join(env.HOME || homedir(), '.local/share'), 'tsbuild')
}

/** The directory of the docker config file. */
export function dockerConfigDirectory(option: string | undefined, env: Env): string {
  return option ?? env.DOCKER_CONFIG ?? join(env.HOME || homedir(), '.docker')
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
  /** For what is downloaded by its URL: trusts whom registries are trusted with. */
  readonly fetch: typeof fetch
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
    fetch: trustingFetch({ env, caFiles: options.caFiles?.map((file) => resolve(file)) }),
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
  readonly extraHosts: readonly { readonly host: string; readonly ip: string }[]
  readonly noCache: true | ReadonlySet<string>
  readonly annotations: readonly Annotation[]
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
  return {
    ...settings,
    options,
    tags: [...new Set(tags)],
    outputs,
    failureOutput: options.outputOnFailure && prepareFailureOutput(options.outputOnFailure),
    extraHosts: (options.addHosts ?? []).map(hostOption),
    noCache: options.noCache === true ? true : new Set((options.noCacheFilter ?? []).map((s) => s.toLowerCase())),
    annotations,
    warnings: checkOutputs(outputs, annotations, settings),
  }
}

/** What would silently be missing from the result, or cannot be done, is refused. */
function refuseUnsupported(options: BuildOptions): void {
  if (options.onError === 'shell' && options.openConsole === undefined)
    throw optionErrors.optionInvalid(['on-error shell needs a terminal'], {
      hint: 'with --on-error keep, tsbuild debug can open a shell later',
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
export function hostOption(text: string): { host: string; ip: string } {
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

/** Failures of a machine, not of the program. */
const UNWRITABLE = new Map([
  ['ENOSPC', 'no space left on device'],
  ['EDQUOT', 'disk quota exceeded'],
  ['EROFS', 'read-only file system'],
  ['EACCES', 'permission denied'],
  ['EPERM', 'operation not permitted'],
  ['EIO', 'input/output error'],
  ['EISDIR', 'is a directory'],
  ['ENOTDIR', 'a part of the path is not a directory'],
  ['ENOENT', 'it is not there, or nothing can be made there'],
])

/**
 * Any error as a BuildError; unexpected ones keep their stack as the cause. What fails once the caller has aborted the
 * call fails for that reason.
 */
export function asBuildError(error: unknown, signal?: AbortSignal): BuildError {
  if (error instanceof BuildError) return error
  if (signal?.aborted) return cancelled([], { cause: signal.reason })
  const { message, hint, code, path, syscall } = error as NodeJS.ErrnoException & { hint?: string }
  const problem = syscall === undefined ? undefined : UNWRITABLE.get(code ?? '')
  if (problem !== undefined) return storeErrors.storeUnwritable([path ?? 'a file', problem], { cause: error })
  const known = error instanceof Error && error.name !== 'Error' && typeof code === 'string'
  return new BuildError(known ? code : 'INTERNAL', message ?? String(error), { hint, cause: error })
}
