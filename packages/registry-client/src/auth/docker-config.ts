/**
 * The docker config file (`config.json`) and podman's `auth.json`, which has the same form: reading and lookup.
 */
import { readFile } from 'node:fs/promises'
import { registryErrors } from '../model/errors.ts'
import { normalizeRegistry } from '../model/reference.ts'
import { object, optional, parseDocument, SchemaProblem, text as string, table } from '../model/schema.ts'
import { fileProblem } from '../util/file-problem.ts'
import { type CredentialProvider, type Credentials, firstOf } from './credentials.ts'
import { runHelper } from './helper.ts'

/** The key that Docker Hub has in these files. */
export const hubKey = 'https://index.docker.io/v1/'

/** One entry of `auths`. */
export interface AuthEntry {
  readonly auth?: string
  readonly username?: string
  readonly password?: string
  readonly identitytoken?: string
  readonly registrytoken?: string
}

/** The part of the file that is about credentials; other fields are kept when it is written. */
export interface DockerConfig {
  readonly auths: ReadonlyMap<string, AuthEntry>
  readonly credsStore: string | undefined
  readonly credHelpers: ReadonlyMap<string, string>
}

/** Parses such a file. @param name of the file, for errors. @throws RegistryError CONFIG_INVALID */
export function parseDockerConfig(text: string, name: string): DockerConfig {
  try {
    const { auths = {}, credsStore, credHelpers = {} } = parseDocument(Buffer.from(text), fileSchema)
    const given = <T>([key, value]: [string, T | undefined]): [string, T][] => (value ? [[key, value]] : [])
    return {
      auths: new Map(Object.entries(auths).flatMap(given)),
      credsStore: credsStore || undefined,
      credHelpers: new Map(Object.entries(credHelpers).flatMap(given)),
    }
  } catch (error) {
    if (!(error instanceof SchemaProblem)) throw error
    // Which says where something is wrong, and nothing of what is there: that may be a password.
    throw registryErrors.configInvalid([name, error.message])
  }
}

const entrySchema = object<AuthEntry>({
  auth: optional(string),
  username: optional(string),
  password: optional(string),
  identitytoken: optional(string),
  registrytoken: optional(string),
})
/** As docker reads it: what it would refuse is refused. */
const fileSchema = object<{
  readonly auths?: Readonly<Record<string, AuthEntry | undefined>>
  readonly credsStore?: string
  readonly credHelpers?: Readonly<Record<string, string | undefined>>
}>({
  auths: optional(table(optional(entrySchema), 'entries')),
  credsStore: optional(string),
  credHelpers: optional(table(optional(string), 'names of helpers')),
})

/** The name that a key of these files stands for: without scheme and `/v1/`, Docker Hub as `docker.io`. */
export function normalizeKey(key: string): string {
  const bare = key
    .replace(/^https?:\/\//i, '')
    .replace(/\/v[12]\/?$/, '')
    .replace(/\/+$/, '')
  const slash = bare.indexOf('/')
  const host = normalizeRegistry(slash < 0 ? bare : bare.slice(0, slash))
  return slash < 0 ? host : host + bare.slice(slash)
}

/** The names to look a repository up under, the most specific first: `host/a/b`, `host/a`, `host`. */
function lookupNames(registry: string, repository: string | undefined): string[] {
  const parts = repository === undefined || repository === '' ? [] : repository.split('/')
  const names: string[] = []
  for (let n = parts.length; n >= 0; n--) names.push([registry, ...parts.slice(0, n)].join('/'))
  return names
}

/** Credentials out of one entry; undefined when it is empty, as it is beside a credential helper. */
export function entryCredentials(entry: AuthEntry): Credentials | undefined {
  const decoded = typeof entry.auth === 'string' && entry.auth !== '' ? decodeAuth(entry.auth) : undefined
  const username = decoded?.username ?? text(entry.username)
  const password = decoded?.password ?? text(entry.password)
  const identityToken = text(entry.identitytoken)
  const registryToken = text(entry.registrytoken)
  if (registryToken !== undefined) return { registryToken }
  if (identityToken !== undefined) return { ...(username !== undefined && { username }), identityToken }
  if (username === undefined) return undefined
  return username === '<token>' ? { identityToken: password ?? '' } : { username, password: password ?? '' }
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

function decodeAuth(auth: string): { username: string; password: string } | undefined {
  const decoded = Buffer.from(auth, 'base64').toString('utf8')
  const colon = decoded.indexOf(':')
  if (colon <= 0) return undefined
  return { username: decoded.slice(0, colon), password: decoded.slice(colon + 1).replace(/\0+$/, '') }
}

/** Environment of a process. */
export type Env = Readonly<Record<string, string | undefined>>

/** Looks credentials up in a parsed file: the helper of the registry, then `auths`, then the store for all. */
export function configCredentials(config: DockerConfig, env: Env): CredentialProvider {
  const auths = new Map([...config.auths].map(([key, entry]) => [normalizeKey(key), entry]))
  const helpers = new Map([...config.credHelpers].map(([key, helper]) => [normalizeKey(key), helper]))
  return async ({ registry, repository, signal }) => {
    const names = lookupNames(registry, repository)
    for (const name of names) {
      const helper = helpers.get(name)
      if (helper === undefined) continue
      const found = await runHelper(helper, {
        command: 'get',
        server: name === 'docker.io' ? hubKey : name,
        env,
        signal,
      })
      if (found !== undefined) return found
    }
    for (const name of names) {
      const entry = auths.get(name)
      const found = entry === undefined ? undefined : entryCredentials(entry)
      if (found !== undefined) return found
    }
    if (config.credsStore === undefined) return undefined
    return runHelper(config.credsStore, {
      command: 'get',
      server: registry === 'docker.io' ? hubKey : registry,
      env,
      signal,
    })
  }
}

/** Reads a file once, when first asked; a file that is not there has no credentials. */
function fileCredentials(path: string, env: Env): CredentialProvider {
  let loading: Promise<CredentialProvider> | undefined
  return async (query) => {
    loading ??= load(path, env)
    return (await loading)(query)
  }
}

async function load(path: string, env: Env): Promise<CredentialProvider> {
  const content = await readConfigFile(path)
  return content === undefined ? () => undefined : configCredentials(parseDockerConfig(content, path), env)
}

/** The text of a file; undefined when there is none, or no permission to see it. @throws RegistryError CONFIG_INVALID */
export async function readConfigFile(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EACCES' || code === 'EPERM') return undefined
    throw registryErrors.configInvalid([path, fileProblem(cause)], { cause })
  }
}

/** Where the docker config file is: `dir`, else $DOCKER_CONFIG, else `~/.docker`. */
export function dockerConfigFile(env: Env, dir?: string): string | undefined {
  const folder = dir ?? (env.DOCKER_CONFIG || (env.HOME ? `${env.HOME}/.docker` : undefined))
  return folder === undefined ? undefined : `${folder.replace(/\/+$/, '')}/config.json`
}

/**
 * Credentials as docker and podman find them: $DOCKER_AUTH_CONFIG (the JSON itself), the docker config file, then
 * $REGISTRY_AUTH_FILE or podman's `auth.json`.
 */
export function defaultCredentials(env: Env, dockerConfigDir?: string): CredentialProvider {
  const providers: CredentialProvider[] = []
  if (env.DOCKER_AUTH_CONFIG) {
    const inline = env.DOCKER_AUTH_CONFIG
    providers.push((query) => configCredentials(parseDockerConfig(inline, '$DOCKER_AUTH_CONFIG'), env)(query))
  }
  const podman = [
    env.XDG_RUNTIME_DIR && `${env.XDG_RUNTIME_DIR}/containers/auth.json`,
    env.HOME && `${env.HOME}/.config/containers/auth.json`,
  ]
  const files = [
    dockerConfigFile(env, dockerConfigDir),
    ...(env.REGISTRY_AUTH_FILE ? [env.REGISTRY_AUTH_FILE] : podman),
  ]
  for (const file of files) if (file) providers.push(fileCredentials(file, env))
  return firstOf(...providers)
}
