/**
 * Faults that the in-memory registry can show: what networks, proxies and registries do on bad days.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

/** One kind of trouble. Bytes count within the body of one answer or request. */
export type Fault =
  /** Answers with a status in place of doing anything. */
  | {
      readonly kind: 'status'
      readonly status: number
      readonly headers?: Readonly<Record<string, string>>
      readonly body?: string | Uint8Array
    }
  /** Breaks the connection (RST) after that many bytes of the answer. */
  | { readonly kind: 'reset'; readonly afterBytes: number }
  /** Closes the connection (FIN) after that many bytes of the answer. */
  | { readonly kind: 'close'; readonly afterBytes: number }
  /** Inverts the byte at this place of the answer. */
  | { readonly kind: 'flip'; readonly at: number }
  /** Announces this many bytes more or less than there are, and sends as many as announced if it can. */
  | { readonly kind: 'length'; readonly add: number }
  /** Says nothing more after that many bytes. */
  | { readonly kind: 'stall'; readonly afterBytes: number }
  /** Sends one byte at a time after that many bytes. */
  | { readonly kind: 'drip'; readonly afterBytes: number; readonly everyMs: number }
  /** Acts as if it had never heard of Range. */
  | { readonly kind: 'ignore-range' }
  /** Sends elsewhere. */
  | { readonly kind: 'redirect'; readonly to: (path: string) => string; readonly status?: number }
  /** Breaks the connection after that many bytes of the request. */
  | { readonly kind: 'reset-request'; readonly afterBytes: number }
  /** Does the work, then breaks the connection instead of answering. */
  | { readonly kind: 'lose-answer' }
  /** Anything else: return true when the request has been answered. */
  | { readonly kind: 'handle'; readonly handle: (request: IncomingMessage, response: ServerResponse) => boolean }

/** When a fault shows. */
export interface FaultRule {
  readonly method?: string
  /** Matched against the path with its query. */
  readonly path?: RegExp
  /** How often; default 1. */
  readonly times?: number
  readonly fault: Fault
}

/** Rules in the order they were added; each used up as it is applied. */
export class Faults {
  readonly #rules: { readonly rule: FaultRule; left: number }[] = []

  add(...rules: readonly FaultRule[]): void {
    for (const rule of rules) this.#rules.push({ rule, left: rule.times ?? 1 })
  }

  clear(): void {
    this.#rules.length = 0
  }

  /** The fault for a request, which is thereby used. */
  take(method: string, path: string): Fault | undefined {
    const entry = this.#rules.find(
      ({ rule, left }) => left > 0 && (rule.method ?? method) === method && (rule.path?.test(path) ?? true),
    )
    if (entry === undefined) return undefined
    entry.left--
    return entry.rule.fault
  }
}

/** Sends a body as a fault wants it. Resolves when the answer is as finished as it will be. */
export async function sendBody(
  response: ServerResponse,
  status: number,
  headers: Record<string, string>,
  body: Buffer,
  fault: Fault | undefined,
): Promise<void> {
  const content = Buffer.from(body)
  let length = content.length
  if (fault?.kind === 'flip' && fault.at < content.length) content[fault.at]! ^= 0xff
  if (fault?.kind === 'length') length += fault.add
  response.writeHead(status, { ...headers, 'content-length': String(length) })
  const { socket } = response
  switch (fault?.kind) {
    case 'reset':
    case 'close':
      await write(response, content.subarray(0, fault.afterBytes))
      if (fault.kind === 'reset') socket?.resetAndDestroy()
      else socket?.end()
      return
    case 'stall':
      await write(response, content.subarray(0, fault.afterBytes))
      return
    case 'drip':
      await write(response, content.subarray(0, fault.afterBytes))
      for (let at = fault.afterBytes; at < content.length && !response.destroyed; at++) {
        response.write(content.subarray(at, at + 1))
        await sleep(fault.everyMs)
      }
      return
    case 'length':
      await write(response, content.subarray(0, Math.min(length, content.length)))
      if (length > content.length) socket?.end()
      else response.end()
      return
    default:
      response.end(content)
  }
}

function write(response: ServerResponse, bytes: Buffer): Promise<void> {
  response.flushHeaders()
  return new Promise((resolve) => {
    if (bytes.length === 0) return resolve()
    response.write(bytes, () => resolve())
    response.once('close', resolve)
  })
}
