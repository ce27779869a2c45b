/**
 * Typed errors from answers that are not what was hoped for.
 */
import { challengeError } from '../auth/authorizer.ts'
import {
  type RegistryError,
  type RegistryErrorDetails,
  type RegistryErrorEntry,
  registryErrors,
} from '../model/errors.ts'
import { type HttpResponse, header, readBody } from '../transport/http.ts'
import { retryAfter } from '../transport/retry.ts'

const bodyLimit = 64 << 10

/**
 * Makes the error of an answer and discards the rest of it.
 *
 * @param what names what was asked for, as in `docker.io/library/busybox:latest`
 */
export async function responseError(
  response: HttpResponse,
  what: string,
  attempts: number,
  now: number,
  documentMs: number,
): Promise<RegistryError> {
  const { status, headers } = response
  const body = await readBody(response.body, bodyLimit, documentMs).catch(() => undefined)
  const entries = parseErrors(body)
  const why = describe(entries, body, header(headers, 'content-type')) || challengeError(headers)
  const after = retryAfter(headers, now)
  const details: RegistryErrorDetails = { status, attempts, registryErrors: entries, retryAfterMs: after }
  switch (status) {
    case 401:
      return registryErrors.unauthorized([what, why], details)
    case 403:
      return registryErrors.denied([what, why], details)
    case 404:
      return registryErrors.notFound([what], details)
    case 413:
      return registryErrors.tooLarge([what], details)
    case 429:
      return registryErrors.rateLimited([what, why], details)
    default:
      if (status >= 500) return registryErrors.unavailable([what, status, why], details)
      if (status >= 300 && status < 400)
        return registryErrors.badResponse([what, `unexpected redirect ${status}`], details)
      return registryErrors.rejected([what, status, why], details)
  }
}

/** The `errors` of a registry's answer (distribution-spec "Error Codes"); at most 20, texts cut. */
export function parseErrors(body: Buffer | undefined): RegistryErrorEntry[] {
  if (body === undefined || body[0] !== 0x7b) return []
  let parsed: unknown
  try {
    parsed = JSON.parse(body.toString())
  } catch {
    return []
  }
  const list = (parsed as { errors?: unknown }).errors
  if (!Array.isArray(list)) return []
  return list.slice(0, 20).flatMap((entry: unknown) => {
    if (typeof entry !== 'object' || entry === null) return []
    const { code, message, detail } = entry as Record<string, unknown>
    const base = { code: shown(code, 'UNKNOWN').slice(0, 100), message: shown(message, '').slice(0, 1000) }
    return [detail === undefined || detail === null ? base : { ...base, detail }]
  })
}

function shown(value: unknown, fallback: string): string {
  if (value === undefined || value === null) return fallback
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function describe(
  entries: readonly RegistryErrorEntry[],
  body: Buffer | undefined,
  contentType: string | undefined,
): string {
  if (entries.length > 0) {
    return entries
      .map(({ code, message }) => (message ? `${code}: ${message}` : code))
      .join('; ')
      .slice(0, 1000)
  }
  if (body === undefined || !/^text\/plain/.test(contentType ?? '')) return ''
  return body.toString().replace(/\s+/g, ' ').trim().slice(0, 300)
}
