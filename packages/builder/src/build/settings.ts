/** The caller's options, checked and completed: the only place that reads the environment. */

import { isIP } from 'node:net'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { formatPlatform, hostPlatform, normalizePlatform, type Platform, parsePlatform } from '@tsbuild/registry-client'
import { BuildError, cancelled, systemFailed } from '../errors.ts'
import type { PreparedOutput } from '../export/exporter.ts'
import { type FailureOutput, prepareFailureOutput } from '../export/failed-files.ts'
import { prepareOutput } from '../export/index.ts'
import { normalizedName } from '../export/names.ts'
import type { BuildOptions, DockerfileOptions } from '../options.ts'
import { isSystemError, systemReason } from '../util/system-error.ts'
import { optionErrors } from './option-types.ts'

export { optionErrors }

type Env = Readonly<Record<string, string | undefined>>

/** Where state is kept: `$TSBUILD_ROOT`, else `$XDG_DATA_HOME/tsbuild`, else `~/.local/share/tsbuild`. */
export function stateRoot(root: string | undefined, env: Env): string {
  if (root) return resolve(root)
  if (env.TSBUILD_ROOT) return resolve(env.TSBUILD_ROOT)
  return join(env.XDG_DATA_HOME || join(env.HOME || homedir(), '.local/share'), 'tsbuild')
}

/** The directory of the docker config file. */
export function dockerConfigDirectory(option: string | undefined, env: Env): string {
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
}

export function resolveSettings(options: DockerfileOptions): Settings {
  const env = options.env ?? process.env
  const buildPlatform = normalizePlatform({ ...hostPlatform(), os: 'linux' })
  const wanted = (options.platforms ?? []).map(platformOption)
  const unique = new Map(wanted.map((p) => [formatPlatform(p), p]))
  return {
    options,
    env,
    root: stateRoot(options.root, env),
    dockerConfig: dockerConfigDirectory(options.dockerConfig, env),
    platforms: unique.size > 0 ? [...unique.values()] : [buildPlatform],
    implicitPlatform: unique.size === 0,
    buildPlatform,
    buildArgs: new Map(Object.entries(options.buildArgs ?? {})),
  }
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
  readonly annotations: Annotations
}

export interface Annotations {
  readonly manifest: Readonly<Record<string, string>>
  readonly index: Readonly<Record<string, string>>
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
  return {
    ...settings,
    options,
    tags: [...new Set(tags)],
    outputs,
    failureOutput: options.outputOnFailure && prepareFailureOutput(options.outputOnFailure),
    extraHosts: (options.addHosts ?? []).map(hostOption),
    noCache: options.noCache === true ? true : new Set((options.noCacheFilter ?? []).map((s) => s.toLowerCase())),
    annotations: annotationOptions(options.annotations ?? []),
  }
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
export function hostOption(text: string): { host: string; ip: string } {
  const match = /^([A-Za-z0-9_.-]+)[:=](.+)$/.exec(text)
  const ip = match?.[2]?.replace(/^\[(.*)\]$/, '$1') ?? ''
  if (!match || !isIP(ip))
    throw optionErrors.optionInvalid([`invalid extra host ${JSON.stringify(text)}`], {
      hint: '--add-host takes NAME:IP',
    })
  return { host: match[1]!, ip }
}

/** `[manifest|index[,…]:]key=value`. */
function annotationOptions(list: readonly string[]): Annotations {
  const result = { manifest: {} as Record<string, string>, index: {} as Record<string, string> }
  for (const text of list) {
    const match = /^(?:([a-z,[\]/-]+):)?([^=:]+)=(.*)$/s.exec(text)
    if (!match) throw optionErrors.optionInvalid([`invalid annotation ${JSON.stringify(text)}, expected key=value`])
    const [, types = 'manifest', key, value] = match
    for (const type of types.split(',')) {
      const kind = type.replace(/\[.*\]$/, '')
      if (kind !== 'manifest' && kind !== 'index')
        throw optionErrors.optionInvalid([
          `unknown annotation type ${JSON.stringify(type)}, expected manifest or index`,
        ])
      result[kind][key!] = value!
    }
  }
  return result
}

/**
 * Any error as a BuildError; unexpected ones keep their stack as the cause. What fails once the caller has aborted the
 * call fails for that reason.
 */
export function asBuildError(error: unknown, signal?: AbortSignal): BuildError {
  if (error instanceof BuildError) return error
  if (signal?.aborted) return cancelled([], { cause: signal.reason })
  if (isSystemError(error)) {
    const what = error.path ?? (error as { address?: string }).address ?? error.syscall
    return systemFailed([what ?? '', systemReason(error)], { cause: error })
  }
  const { message, hint, code } = error as Error & { hint?: string; code?: string }
  const known = error instanceof Error && error.name !== 'Error' && typeof code === 'string'
  return new BuildError(known ? code : 'INTERNAL', message ?? String(error), { hint, cause: error })
}
