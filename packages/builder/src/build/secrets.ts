/** Where `--secret` values come from. They are read when a RUN needs them and never written anywhere. */
import { access, constants, readFile, stat } from 'node:fs/promises'
import { type BuildError, defineError } from '../errors.ts'
import type { SecretSource } from '../options.ts'
import { systemReason } from '../util/system-error.ts'
import { callbackFailure } from './callback.ts'

/** The reference's bound. */
const MAX_SECRET = 500 * 1024

export const secretErrors = {
  secretUnreadable: defineError({
    code: 'SECRET_UNREADABLE',
    doc: 'The file of a secret cannot be read, or is larger than 500 KiB.',
    message: (id: string, problem: string) => `secret ${id} cannot be read: ${problem}`,
  }),
}

type Env = Readonly<Record<string, string | undefined>>

/** Reads secrets by id; undefined for an id that was not given. */
export function secretReader(
  sources: readonly SecretSource[],
  env: Env,
): (id: string, signal: AbortSignal) => Promise<Uint8Array | undefined> {
  const byId = new Map(sources.map((s) => [s.id, s]))
  return async (id, signal) => {
    const source = byId.get(id)
    if (source === undefined) return undefined
    const content = await readSecret(source, env, signal)
    if (content !== undefined && content.length > MAX_SECRET)
      throw secretErrors.secretUnreadable([id, `it is ${content.length} bytes long, at most ${MAX_SECRET} are allowed`])
    return content
  }
}

async function readSecret(source: SecretSource, env: Env, signal: AbortSignal): Promise<Uint8Array | undefined> {
  if ('value' in source) return Buffer.from(source.value as string)
  if ('get' in source) return Buffer.from(await given(source, signal))
  if ('env' in source) {
    const value = env[source.env]
    return value === undefined ? undefined : Buffer.from(value)
  }
  await checkFile(source)
  try {
    return await readFile(source.src, { signal })
  } catch (error) {
    throw unreadable(source, error)
  }
}

async function given({ id, get }: Extract<SecretSource, { readonly get: unknown }>, signal: AbortSignal) {
  try {
    return (await get(signal)) as string
  } catch (cause) {
    signal.throwIfAborted()
    throw callbackFailure(`get of secret ${id}`, cause)
  }
}

type SecretFile = Extract<SecretSource, { readonly src: string }>

/** Looks at the files that are to be secrets, before they are needed. @throws BuildError SECRET_UNREADABLE */
export async function checkSecrets(sources: readonly SecretSource[]): Promise<void> {
  for (const source of sources) if ('src' in source) await checkFile(source)
}

/** Says which secrets there will not be. No error: a RUN may do without, and other builders go on. */
export function unsetSecrets(sources: readonly SecretSource[], env: Env): string[] {
  return sources.flatMap((source) =>
    'env' in source && env[source.env] === undefined
      ? [`secret ${source.id} is not offered: the environment variable ${source.env} is not set`]
      : [],
  )
}

async function checkFile(source: SecretFile): Promise<void> {
  try {
    const found = await stat(source.src)
    if (found.isDirectory()) throw new Error('it is a directory')
    if (found.size > MAX_SECRET) throw new Error(`it is ${found.size} bytes long, at most ${MAX_SECRET} are allowed`)
    // A pipe is emptied by whoever opens it.
    if (found.isFile()) await access(source.src, constants.R_OK)
  } catch (error) {
    throw unreadable(source, error)
  }
}

function unreadable({ id, src }: SecretFile, cause: unknown): BuildError {
  return secretErrors.secretUnreadable([id, `${src}: ${systemReason(cause)}`], { cause })
}
