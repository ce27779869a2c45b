/** What finding credentials for Amazon's services works with. */
import { type RegistryClient, schema } from '@tsbuild/registry-client'
import type { Env } from '../backend.ts'
import { ServiceError } from './service-error.ts'
import type { AwsCredentials } from './sigv4.ts'

/** Credentials, and until when they count: milliseconds; undefined: for ever. */
export interface AwsIdentity extends AwsCredentials {
  readonly expires: number | undefined
}

export interface AwsContext {
  readonly client: RegistryClient
  readonly env: Env
  /** The user's home directory. */
  readonly home: string
  readonly region: string
  readonly now: () => number
}

/** Bytes of an answer, or of a file, that has credentials. */
export const CREDENTIALS_LIMIT = 1 << 20

interface Given {
  readonly AccessKeyId: string
  readonly SecretAccessKey: string
  readonly Token: string | undefined
  readonly SessionToken: string | undefined
  readonly Expiration: string | undefined
}

const given = schema.object<Given>({
  AccessKeyId: schema.text,
  SecretAccessKey: schema.text,
  Token: schema.optional(schema.text),
  SessionToken: schema.optional(schema.text),
  Expiration: schema.optional(schema.text),
})

/** Credentials as containers, machines and the programs of profiles give them. @throws ServiceError */
export function parseIdentity(bytes: Uint8Array, from: string): AwsIdentity {
  const { AccessKeyId, SecretAccessKey, Token, SessionToken, Expiration } = parseSecret(bytes, given, from)
  const token = Token ?? SessionToken
  return { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey, sessionToken: token, expires: time(Expiration) }
}

/** A document that may hold secrets, so that an error shows nothing of it. @throws ServiceError */
export function parseSecret<T>(bytes: Uint8Array, of: schema.Schema<T>, from: string): T {
  try {
    return schema.parseDocument(bytes, of)
  } catch {
    throw new ServiceError(`${from} gave something else than was asked for`)
  }
}

/** Milliseconds of a time as text; undefined: there is none. */
export function time(text: string | undefined): number | undefined {
  const ms = Date.parse(text ?? '')
  return Number.isNaN(ms) ? undefined : ms
}
