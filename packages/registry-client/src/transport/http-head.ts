/**
 * The head of an HTTP/1.1 message (RFC 9112): writing requests and parsing answers, strictly.
 */
import { type HttpHeaders, ProtocolError } from './http.ts'

/** How the body of an answer ends. */
export type Framing =
  | { readonly kind: 'none' }
  | { readonly kind: 'length'; readonly length: number }
  | { readonly kind: 'chunked' }
  | { readonly kind: 'close' }

export interface ResponseHead {
  readonly status: number
  readonly headers: HttpHeaders
  readonly framing: Framing
  /** true when the connection may carry another request after the body. */
  readonly keepAlive: boolean
}

const tokenPattern = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
/** Header lines of one answer. */
const lineLimit = 512

/** The request line and headers as bytes. @throws TypeError when a value could smuggle a line break */
export function formatRequestHead(method: string, target: string, headers: Readonly<Record<string, string>>): string {
  if (!tokenPattern.test(method) || /[\s\0]/.test(target)) throw new TypeError('invalid request line')
  let head = `${method} ${target} HTTP/1.1\r\n`
  for (const [name, value] of Object.entries(headers)) {
    if (!tokenPattern.test(name) || /[\r\n\0]/.test(value)) throw new TypeError(`invalid value in header ${name}`)
    head += `${name}: ${value}\r\n`
  }
  return `${head}\r\n`
}

/**
 * Parses the head of an answer: status line and headers without the empty line at the end.
 *
 * @throws ProtocolError when it is not HTTP/1.x or its framing is ambiguous
 */
export function parseResponseHead(text: string, method: string): ResponseHead {
  const lines = text.split('\r\n')
  // What is left of these after the split ends a line for some readers and not for others (RFC 9112 section 2.2).
  if (lines.some((line) => /[\r\n\0]/.test(line))) throw new ProtocolError('malformed line in the head of the answer')
  if (lines.length > lineLimit) throw new ProtocolError('too many headers in the answer')
  const status = /^HTTP\/1\.([01]) ([1-5][0-9]{2})(?: |$)/.exec(lines[0]!)
  if (status === null) throw new ProtocolError('the server did not answer in HTTP/1.1')
  const headers = new Map<string, string[]>()
  for (const line of lines.slice(1)) {
    const colon = line.indexOf(':')
    const name = line.slice(0, colon).toLowerCase()
    if (colon <= 0 || !tokenPattern.test(name)) throw new ProtocolError('malformed header in the answer')
    const value = line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, '')
    const values = headers.get(name)
    if (values === undefined) headers.set(name, [value])
    else values.push(value)
  }
  const code = Number(status[2])
  const framing = framingOf(method, code, status[1]!, headers)
  const connection = (headers.get('connection') ?? []).join(',').toLowerCase()
  const persistent = status[1] === '1' ? !connection.includes('close') : connection.includes('keep-alive')
  // A body where there can be none would be read as the next answer.
  const stray = code === 204 && (headers.has('transfer-encoding') || headers.has('content-length'))
  return { status: code, headers, framing, keepAlive: persistent && framing.kind !== 'close' && !stray }
}

function framingOf(method: string, status: number, minor: string, headers: HttpHeaders): Framing {
  if (method === 'HEAD' || status < 200 || status === 204 || status === 304) return { kind: 'none' }
  const codings = headers.get('transfer-encoding')
  const lengths = new Set((headers.get('content-length') ?? []).flatMap((value) => value.split(/[ \t]*,[ \t]*/)))
  if (codings !== undefined) {
    if (lengths.size > 0) throw new ProtocolError('both Transfer-Encoding and Content-Length in the answer')
    if (minor === '0') throw new ProtocolError('Transfer-Encoding in an answer of HTTP/1.0')
    const coding = codings.join(', ')
    if (coding.toLowerCase() !== 'chunked') throw new ProtocolError(`unknown transfer coding ${coding.slice(0, 100)}`)
    return { kind: 'chunked' }
  }
  if (lengths.size === 0) return { kind: 'close' }
  const [length] = lengths
  if (lengths.size > 1 || !/^[0-9]{1,15}$/.test(length!))
    throw new ProtocolError('invalid Content-Length in the answer')
  return { kind: 'length', length: Number(length) }
}
