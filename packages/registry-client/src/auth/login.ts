/**
 * Login and logout: checks credentials at a registry and keeps them where docker and others find them.
 */
import { randomBytes } from 'node:crypto'
import { chmod, lstat, realpath, rename, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { CallOptions } from '../model/content.ts'
import { registryErrors } from '../model/errors.ts'
import { makeDirectory } from '../util/make-directory.ts'
import { writing } from '../util/writing.ts'
import {
  type AuthEntry,
  type DockerConfig,
  dockerConfigFile,
  type Env,
  hubKey,
  normalizeKey,
  parseDockerConfig,
  readConfigFile,
} from './docker-config.ts'
import { runHelper } from './helper.ts'

/** Where credentials are kept. */
export interface CredentialFileOptions extends CallOptions {
  /** Directory of the docker config file; default $DOCKER_CONFIG, else `~/.docker`. */
  readonly dockerConfig?: string | undefined
  /** Default `process.env`. */
  readonly env?: Env
}

/** What was done with credentials. */
export interface StoredCredentials {
  /** The key they have in the file or helper. */
  readonly key: string
  /** The helper that keeps them; undefined: in the file itself, only encoded, not encrypted. */
  readonly helper: string | undefined
  readonly file: string
}

/**
 * Keeps credentials in the docker config file, or in the helper that it names for the registry. Does not check them:
 * see `RegistryClient.checkCredentials`. Other content of the file is kept; it is replaced as a whole, with mode 0600.
 *
 * @param registry `docker.io`, `host` or `host:port`
 * @throws RegistryError CONFIG_INVALID, CREDENTIAL_HELPER
 */
export async function storeCredentials(
  registry: string,
  credentials: { readonly username: string; readonly password: string },
  options: CredentialFileOptions = {},
): Promise<StoredCredentials> {
  const { file, env, key, config, document } = await locate(registry, options)
  const { username, password } = credentials
  const helper = config.credHelpers.get(key) ?? config.credHelpers.get(normalizeKey(key)) ?? config.credsStore
  if (helper !== undefined) {
    await runHelper(helper, { command: 'store', server: key, credentials, env, signal: options.signal })
    // docker lists the registry without a password, which tells that its helper knows it.
    await save(file, { ...document, auths: { ...withoutKey(document.auths, key), [key]: {} } })
    return { key, helper, file }
  }
  const entry: AuthEntry = { auth: Buffer.from(`${username}:${password}`, 'utf8').toString('base64') }
  await save(file, { ...document, auths: { ...withoutKey(document.auths, key), [key]: entry } })
  return { key, helper: undefined, file }
}

/** Forgets credentials, in the file and in its helper. @returns false when there were none in the file */
export async function eraseCredentials(registry: string, options: CredentialFileOptions = {}): Promise<boolean> {
  const { file, env, key, config, document } = await locate(registry, options)
  const helper = config.credHelpers.get(key) ?? config.credHelpers.get(normalizeKey(key)) ?? config.credsStore
  if (helper !== undefined) await runHelper(helper, { command: 'erase', server: key, env, signal: options.signal })
  const names = [...config.auths.keys()]
  const known = names.some((name) => normalizeKey(name) === normalizeKey(key))
  if (known) await save(file, { ...document, auths: withoutKey(document.auths, key) })
  return known || helper !== undefined
}

interface Located {
  readonly file: string
  readonly env: Env
  readonly key: string
  readonly config: DockerConfig
  readonly document: Record<string, unknown>
}

async function locate(registry: string, options: CredentialFileOptions): Promise<Located> {
  const env = options.env ?? process.env
  const file = dockerConfigFile(env, options.dockerConfig)
  if (file === undefined) throw registryErrors.configInvalid(['docker config', 'neither DOCKER_CONFIG nor HOME is set'])
  const text = (await readConfigFile(file)) ?? '{}'
  const config = parseDockerConfig(text, file)
  const name = normalizeKey(registry)
  return {
    file,
    env,
    key: name === 'docker.io' ? hubKey : name,
    config,
    document: JSON.parse(text) as Record<string, unknown>,
  }
}

/** `auths` without every spelling of a key. */
function withoutKey(auths: unknown, key: string): Record<string, unknown> {
  const entries = typeof auths === 'object' && auths !== null ? Object.entries(auths) : []
  return Object.fromEntries(entries.filter(([name]) => normalizeKey(name) !== normalizeKey(key)))
}

/** @throws RegistryError ARCHIVE_FAILED */
function save(file: string, document: Record<string, unknown>): Promise<void> {
  return writing(file, replace(file, document))
}

async function replace(file: string, document: Record<string, unknown>): Promise<void> {
  await makeDirectory(dirname(file), 0o700)
  // People keep this file elsewhere and link to it: the link stays.
  const target = (await lstat(file).catch(() => undefined))?.isSymbolicLink() === true ? await realpath(file) : file
  const temporary = `${target}.${randomBytes(6).toString('hex')}.tmp`
  try {
    await writeFile(temporary, `${JSON.stringify(document, undefined, '\t')}\n`, { mode: 0o600, flag: 'wx' })
    await chmod(temporary, 0o600)
    await rename(temporary, target)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}
