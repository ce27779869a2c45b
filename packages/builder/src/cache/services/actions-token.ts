/** The token that a job of GitHub Actions has for the cache service: a JWT, which only the service can verify. */
import { schema } from '@tsbuild/registry-client'
import { ServiceError } from './service-error.ts'

export interface ActionsToken {
  /** Refs whose entries can be read, in the token's order: the job's own, then those it comes from. */
  readonly readable: readonly string[]
  /** The ref that entries are written for; undefined: the job may not write. */
  readonly writable: string | undefined
  /** Seconds since the epoch; undefined: it does not end. */
  readonly expires: number | undefined
}

const claims = schema.object<{ ac: string; exp: number | undefined }>({
  ac: schema.text,
  exp: schema.optional(schema.integer),
})
const scopes = schema.list(
  schema.object<{ Scope: string; Permission: number }>({ Scope: schema.text, Permission: schema.integer }),
  'scopes',
)
const READ = 1
const WRITE = 2

/** @throws ServiceError when it is none */
export function parseActionsToken(text: string): ActionsToken {
  try {
    const { ac, exp } = schema.parseDocument(Buffer.from(text.split('.')[1] ?? '', 'base64url'), claims)
    const all = schema.parseDocument(Buffer.from(ac), scopes)
    const having = (permission: number) =>
      all.filter(({ Permission }) => (Permission & permission) !== 0).map(({ Scope }) => Scope)
    return { readable: [...new Set(having(READ))], writable: having(WRITE).at(-1), expires: exp }
  } catch {
    // What is in it is nobody's business.
    throw new ServiceError('the token is none of the cache service of GitHub Actions')
  }
}
