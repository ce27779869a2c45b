/** Where `--secret` values come from. They are read when a RUN needs them and never written anywhere. */
import { readFile, stat } from 'node:fs/promises'
import { defineError } from '../errors.ts'
import type { SecretSource } from '../options.ts'

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
  if ('get' in source) return Buffer.from((await source.get(signal)) as string)
  if ('env' in source) {
    const value = env[source.env]
    return value === undefined ? undefined : Buffer.from(value)
  }
  try {
    const { size } = await stat(source.src)
    if (size > MAX_SECRET) throw new Error(`it is ${size} bytes long, at most ${MAX_SECRET} are allowed`)
    return await readFile(source.src, { signal })
  } catch (error) {
    throw secretErrors.secretUnreadable([source.id, (error as Error).message], { cause: error })
  }
}
