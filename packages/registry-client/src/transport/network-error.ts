/** Typed errors of requests that got no answer. */
import { type RegistryError, registryErrors } from '../model/errors.ts'
import { IdleTimeoutError } from './http.ts'
import { isTimeout, networkCode } from './retry.ts'
import { explainTls } from './tls-error.ts'

const mirrorHint =
  'Where docker.io cannot be reached, --mirror docker.io=HOST[/PATH] asks another registry for its images first.'

/** Makes the error of a request that got no answer. */
export function networkError(error: unknown, what: string, attempts: number, idleMs: number): RegistryError {
  // `what` names the server first: `docker.io/library/busybox:latest`, `token server auth.example`, `https://example/x`.
  const host = what
    .replace(/^.* /, '')
    .replace(/^\w+:\/\//, '')
    .split('/', 1)[0]!
  const tls = explainTls(error, host)
  if (tls !== undefined) return registryErrors.network([what, tls.why], { attempts, cause: error, hint: tls.hint })
  const hint = host === 'docker.io' ? { hint: mirrorHint } : {}
  const message = error instanceof Error ? error.message || (networkCode(error) ?? error.name) : String(error)
  const code = networkCode(error)
  const why = code === undefined || message.includes(code) ? message : `${message} (${code})`
  if (isTimeout(error))
    return registryErrors.timeout([what, error instanceof IdleTimeoutError ? message : `no data for ${idleMs} ms`], {
      attempts,
      cause: error,
      ...hint,
    })
  return registryErrors.network([what, why], { attempts, cause: error, ...hint })
}
