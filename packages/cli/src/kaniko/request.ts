/** What follows from kaniko's flags together: the options of the build, and what is written when it has ended. */
import { existsSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { BuildOptions } from '@tsbuild/builder'
import { type GlobalOptions, mirrorTable } from '../flags/global.ts'
import { UsageError } from '../usage-error.ts'
import { kanikoContext } from './context.ts'
import type { KanikoDraft, LogSettings, ResultFiles } from './draft.ts'

export interface KanikoRequest {
  /** Without `signal`, `onProgress` and `stdin`, which the command adds. */
  readonly options: BuildOptions
  /** The archive that is the context. */
  readonly archive: string | undefined
  readonly destinations: readonly string[]
  readonly push: boolean
  readonly files: ResultFiles
  readonly ociLayout: string | undefined
  readonly log: LogSettings
  readonly notes: readonly string[]
}

/** Directory of kaniko in its images. */
const KANIKO_DIR = '/kaniko'
/** What an archive of an image without destination calls it. */
const UNNAMED = 'docker.io/unset-repo/unset-image-name:latest'

/** What of the machine decides; tests and `tsbuild migrate` have their own. */
export interface Machine {
  exists(path: string): boolean
}

const machine: Machine = { exists: existsSync }

/** @throws UsageError when flags contradict each other, in kaniko's words where it has some */
export function resolveKaniko(
  draft: KanikoDraft,
  words: readonly string[],
  global: GlobalOptions,
  { exists }: Machine = machine,
): KanikoRequest {
  checkDraft(draft, words)
  const { context, archive, secrets: gitSecrets = [] } = kanikoContext(draft)
  const format = formatAttributes(draft)
  const cache = cacheOptions(draft)
  const dockerConfig = dockerConfigDirectory(draft, exists)
  const root = global.root ?? stateDirectory(draft)
  const caFiles = [...(global.caFiles ?? []), ...draft.caFiles, ...ownCertificates(draft)]
  const insecureRegistries = [...new Set([...(global.insecureRegistries ?? []), ...draft.insecureRegistries])]
  const mirrors = { ...global.mirrors, ...mirrorTable(draft.mirrors.map(([registry, mirror]) => [registry, mirror])) }
  const secrets = [...draft.secrets, ...gitSecrets]
  return {
    options: {
      env: draft.env,
      context,
      ...dockerfileOption(draft, context, exists),
      outputs: outputsOf(draft, format),
      // kaniko has no cache but the one that is asked for.
      ...(!draft.cache && { noCache: true }),
      ...cache,
      ...(draft.destinations.length > 0 && { tags: [...new Set(draft.destinations)] }),
      ...(Object.keys(draft.buildArgs).length > 0 && { buildArgs: draft.buildArgs }),
      ...(Object.keys(draft.labels).length > 0 && { labels: draft.labels }),
      ...(draft.annotations.length > 0 && { annotations: draft.annotations }),
      ...(secrets.length > 0 && { secrets }),
      ...(draft.target !== undefined && { target: draft.target }),
      ...(draft.platform !== undefined && { platforms: [draft.platform] }),
      ...(Object.keys(mirrors).length > 0 && { mirrors }),
      ...(draft.mirrorsOnly && { mirrorsOnly: true }),
      ...(draft.insecurePull && { insecurePull: true }),
      ...(insecureRegistries.length > 0 && { insecureRegistries }),
      ...(caFiles.length > 0 && { caFiles }),
      ...(dockerConfig !== undefined && { dockerConfig }),
      ...(root !== undefined && { root }),
    },
    archive,
    destinations: draft.destinations,
    push: !draft.noPush,
    files: draft.files,
    ociLayout: draft.ociLayout,
    log: draft.log,
    notes: draft.notes,
  }
}

function checkDraft(draft: KanikoDraft, words: readonly string[]): void {
  const [word] = words
  if (word === 'login' || word === 'push' || word === 'bake')
    throw new UsageError(
      `tsbuild kaniko has no command ${word}`,
      {
        login: 'it is tsbuild login here',
        push: 'it is tsbuild copy docker-archive:FILE NAME here',
        bake: 'call it once for each target',
      }[word],
    )
  if (word !== undefined) throw new UsageError(`unknown command ${JSON.stringify(word)} for "executor"`)
  if (!draft.noPush && draft.destinations.length === 0)
    throw new UsageError('you must provide --destination, or use --no-push')
  if (draft.cache && draft.cacheRepo === undefined && draft.destinations.length === 0 && !draft.noPushCache)
    throw new UsageError('if using cache with --no-push, specify cache repo with --cache-repo')
  const named = draft.files.name ?? draft.files.nameAndTag
  if (named !== undefined && draft.destinations.length === 0)
    throw new UsageError(`you must provide --destination, since ${named} is to get its name`)
}

/** A file of the current directory, or one of the context; both kinds of paths are relative for kaniko. */
function dockerfileOption(
  { dockerfile, context: text }: KanikoDraft,
  context: string,
  exists: Machine['exists'],
): Pick<BuildOptions, 'dockerfile'> {
  if (/^https?:\/\//.test(dockerfile))
    throw new UsageError('a Dockerfile at a URL is not supported', 'fetch it first: curl -o Dockerfile URL')
  if (exists(dockerfile)) return { dockerfile: resolve(dockerfile) }
  const local = context !== '-' && !/^https?:\/\//.test(context)
  if (!local) return dockerfile === 'Dockerfile' ? {} : { dockerfile }
  const inContext = join(context, dockerfile)
  // That there is no such directory is said by whoever opens it.
  if (!exists(inContext) && exists(context))
    throw new UsageError(
      'please provide a valid path to a Dockerfile within the build context with --dockerfile',
      `there is neither ${dockerfile} nor ${inContext} (context ${text})`,
    )
  return { dockerfile: inContext }
}

/** Attributes that all outputs have, so that all of them are one image with one digest. */
function formatAttributes(draft: KanikoDraft): Record<string, string> {
  return {
    ...(draft.imageFormat !== undefined && { 'oci-mediatypes': String(draft.imageFormat === 'oci') }),
    ...compressionAttributes(draft),
    ...(draft.reproducible && { 'source-date-epoch': '0', 'rewrite-timestamp': 'true' }),
  }
}

function compressionAttributes({ compression, compressionLevel }: KanikoDraft): Record<string, string> {
  return {
    ...(compression !== undefined && { compression }),
    ...(compressionLevel !== undefined && { 'compression-level': compressionLevel }),
  }
}

function outputsOf(draft: KanikoDraft, format: Record<string, string>): NonNullable<BuildOptions['outputs']> {
  const outputs: NonNullable<BuildOptions['outputs']>[number][] = []
  if (draft.ociLayout !== undefined)
    outputs.push({ type: 'oci', attrs: { 'oci-mediatypes': 'true', ...format, dest: draft.ociLayout, tar: 'false' } })
  if (draft.tarPath !== undefined) {
    const name = draft.destinations.length > 0 ? {} : { name: UNNAMED }
    outputs.push({ type: 'docker', attrs: { 'oci-mediatypes': 'true', ...format, dest: draft.tarPath, ...name } })
  }
  if (!draft.noPush)
    outputs.push({ type: 'registry', attrs: { ...format, ...(draft.insecurePush && { 'registry.insecure': 'true' }) } })
  // Neither kept nor pushed, but an image with a digest.
  if (outputs.length === 0) outputs.push({ type: 'image', attrs: { ...format, store: 'false' } })
  return outputs
}

/** The tag that the shared cache has in its repository. */
const CACHE_TAG = 'tsbuild'

function cacheOptions(draft: KanikoDraft): Pick<BuildOptions, 'cacheFrom' | 'cacheTo'> {
  const [destination] = draft.destinations
  const repository = draft.cacheRepo ?? (destination === undefined ? undefined : `${withoutTag(destination)}/cache`)
  if (!draft.cache || repository === undefined) return {}
  // As in kaniko, a cache that cannot be written costs a warning.
  const writing = { mode: 'max', 'ignore-error': 'true', ...compressionAttributes(draft) }
  if (repository.startsWith('oci:')) {
    const place = repository.slice('oci:'.length)
    return {
      cacheFrom: [{ type: 'local', attrs: { src: place } }],
      ...(!draft.noPushCache && { cacheTo: [{ type: 'local', attrs: { dest: place, ...writing } }] }),
    }
  }
  const where = {
    ref: withoutTag(repository) === repository ? `${repository}:${CACHE_TAG}` : repository,
    ...(draft.insecurePush && { 'registry.insecure': 'true' }),
  }
  return {
    cacheFrom: [{ type: 'registry', attrs: where }],
    ...(!draft.noPushCache && { cacheTo: [{ type: 'registry', attrs: { ...where, ...writing } }] }),
  }
}

function withoutTag(name: string): string {
  const colon = name.lastIndexOf(':')
  return colon > name.lastIndexOf('/') ? name.slice(0, colon) : name
}

/** The directory that was named wins, as in kaniko; else $DOCKER_CONFIG, and what kaniko's images have. */
function dockerConfigDirectory({ kanikoDir, env }: KanikoDraft, exists: Machine['exists']): string | undefined {
  const own = (directory: string): string | undefined => {
    const place = join(directory, '.docker')
    return exists(join(place, 'config.json')) ? place : undefined
  }
  const named = kanikoDir === undefined ? undefined : own(kanikoDir)
  return named ?? (env.DOCKER_CONFIG || own(KANIKO_DIR))
}

function stateDirectory({ kanikoDir, env }: KanikoDraft): string | undefined {
  return kanikoDir === undefined || env.TSBUILD_ROOT ? undefined : join(kanikoDir, 'tsbuild')
}

/** Authorities that jobs put beside kaniko's own. */
function ownCertificates({ kanikoDir = KANIKO_DIR }: KanikoDraft): string[] {
  const directory = join(kanikoDir, 'ssl/certs')
  try {
    const names = readdirSync(directory).filter((name) => /\.(?:crt|pem)$/.test(name))
    return names.sort().map((name) => join(directory, name))
  } catch {
    return []
  }
}
