/** A server of tests on loopback, with faults. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Answers in place of the service; true: it has. */
export type FaultHandler = (request: IncomingMessage, response: ServerResponse) => boolean

export interface Exchange {
  readonly method: string
  readonly url: URL
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
  readonly response: ServerResponse
}

export class TestServer implements AsyncDisposable {
  readonly #server = createServer((request, response) => void this.#handle(request, response))
  readonly #answer: (exchange: Exchange) => unknown
  readonly seen: string[] = []
  fault: FaultHandler | undefined

  constructor(answer: (exchange: Exchange) => unknown) {
    this.#answer = answer
  }

  async start(): Promise<this> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return this
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    request.on('error', () => {})
    this.seen.push(`${request.method} ${request.url}`)
    try {
      if (this.fault?.(request, response) === true) {
        request.resume()
        return
      }
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(chunk)
      const url = new URL(request.url!, this.origin)
      const { method = '', headers } = request
      this.#answer({ method, url, headers, body: Buffer.concat(chunks), response })
    } catch (error) {
      response.writeHead(500).end(String(error))
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }
}

/** Answers with a status. */
export function status(code: number, headers: Record<string, string> = {}): FaultHandler {
  return (_request, response) => {
    response.writeHead(code, headers).end()
    return true
  }
}

/** Never answers. */
export const silence: FaultHandler = () => true

/** Says that more will come, and hangs up. */
export const cutOff: FaultHandler = (request, response) => {
  response.writeHead(200, { 'content-length': '1000' })
  response.write('half', () => request.socket.destroy())
  return true
}

/** Only where the request is like that. */
export function when(pattern: RegExp, handler: FaultHandler): FaultHandler {
  return (request, response) => pattern.test(`${request.method} ${request.url}`) && handler(request, response)
}

/** What a Range header asks for of `size` bytes: the first byte, and the one after the last. */
export function rangeOf(header: string | undefined, size: number): [number, number] {
  const match = /^bytes=(\d+)-(\d*)$/.exec(header ?? '')
  if (match === null) return [0, size]
  return [Number(match[1]), match[2] === '' ? size : Math.min(size, Number(match[2]) + 1)]
}
