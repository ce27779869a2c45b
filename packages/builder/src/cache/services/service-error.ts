/** What a service answers when it does not do what it is asked, in words that may be shown. */
import type { UrlAnswer } from '@tsbuild/registry-client'

/** A service said no. */
export class ServiceError extends Error {
  readonly status: number
  /** The service's own word for it, such as `AccessDenied`. */
  readonly code: string | undefined

  constructor(message: string, status = 0, code?: string) {
    super(message)
    this.status = status
    this.code = code
  }
}

/** How much of an answer that is an error is read. */
const ERROR_LIMIT = 16 << 10

/** Takes credentials out of a text that a server wrote. */
export type Hide = (text: string) => string

/** Hides texts that are known to be secret, in a URL's encoding too. */
export function hider(...secrets: readonly (string | undefined)[]): Hide {
  const known = secrets.filter((secret) => secret !== undefined && secret.length >= 4) as string[]
  const forms = [...new Set(known.flatMap((secret) => [secret, encodeURIComponent(secret)]))]
  forms.sort((a, b) => b.length - a.length)
  return (text) => forms.reduce((shown, secret) => shown.replaceAll(secret, '***'), text)
}

/** Reads a whole answer. @throws ServiceError when it has more than `limit` bytes */
export async function readAnswer(answer: UrlAnswer, limit: number, what: string): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of answer.body) {
    size += chunk.length
    if (size > limit) throw new ServiceError(`${what} has more than ${limit} bytes`)
    chunks.push(Buffer.from(chunk))
  }
  return Buffer.concat(chunks, size)
}

/** The error for an answer: its status, and what its body says in XML (Amazon, Azure) or JSON (GitHub, tokens). */
export async function serviceError(what: string, answer: UrlAnswer, hide: Hide): Promise<ServiceError> {
  let text = ''
  for await (const chunk of answer.body) {
    text += chunk.toString('utf8', 0, ERROR_LIMIT - text.length)
    if (text.length >= ERROR_LIMIT) break
  }
  const own = answer.headers.get('x-ms-error-code')?.[0]
  const { code = own, message } = problemOf(text)
  const shown = [code, message].filter((part) => part !== undefined).join(': ')
  const clean = hide(shown)
    .replace(/[\0-\x20\x7f-\x9f]+/g, ' ')
    .trim()
    .slice(0, 300)
  return new ServiceError(`${what}: status ${answer.status}${clean === '' ? '' : ` (${clean})`}`, answer.status, code)
}

function problemOf(text: string): { readonly code?: string; readonly message?: string } {
  if (text.trimStart().startsWith('{')) {
    const fields = new Map<string, string>()
    for (const [, name, value] of text.matchAll(
      /"(code|error|msg|message|error_description)"\s*:\s*("(?:[^"\\]|\\.)*")/g,
    ))
      fields.set(name!, unquote(value!))
    const code = fields.get('code') ?? fields.get('error')
    const message = fields.get('msg') ?? fields.get('message') ?? fields.get('error_description')
    return { ...(code !== undefined && { code }), ...(message !== undefined && { message }) }
  }
  const code = elementOf(text, 'Code')
  const message = elementOf(text, 'Message')
  return { ...(code !== undefined && { code }), ...(message !== undefined && { message }) }
}

function unquote(json: string): string {
  try {
    return String(JSON.parse(json))
  } catch {
    return json
  }
}

/** The text of the first element of a name in XML that needs no parser: flat, and written by a program. */
export function elementOf(xml: string, name: string): string | undefined {
  const begin = xml.indexOf(`<${name}>`)
  const end = xml.indexOf(`</${name}>`, begin)
  if (begin < 0 || end < 0) return undefined
  const entities: Readonly<Record<string, string>> = { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' }
  const text = xml.slice(begin + name.length + 2, end)
  return text.replace(/&(lt|gt|quot|apos|amp);/g, (_, entity: string) => entities[entity]!)
}
