/**
 * Bodies of HTTP/1.1 answers (RFC 9112 section 6 and 7) as chunks of a connection's buffer.
 */
import type { Connection } from './connection.ts'
import { IdleTimeoutError, ProtocolError } from './http.ts'
import type { Framing } from './http-head.ts'

/** Bytes of chunk extensions and trailers, which nobody needs, that one body may have. */
const trimmingsLimit = 16 << 10

/** The body up to its end, leaving the connection at the next message. @throws ProtocolError when it ends early */
export async function* bodyChunks(connection: Connection, framing: Framing, idleMs: number): AsyncGenerator<Buffer> {
  switch (framing.kind) {
    case 'none':
      return
    case 'length':
      yield* exactly(connection, framing.length, idleMs)
      return
    case 'chunked':
      yield* chunked(connection, idleMs)
      return
    case 'close':
      for (let chunk = await connection.read(idleMs); chunk !== undefined; chunk = await connection.read(idleMs))
        yield chunk
  }
}

async function* exactly(connection: Connection, length: number, idleMs: number): AsyncGenerator<Buffer> {
  let left = length
  while (left > 0) {
    const chunk = await connection.read(idleMs)
    if (chunk === undefined)
      throw new ProtocolError(`connection closed with ${left} of ${length} bytes missing`, 'ECONNRESET')
    if (chunk.length > left) connection.unread(chunk.length - left)
    const part = chunk.length > left ? chunk.subarray(0, left) : chunk
    left -= part.length
    yield part
  }
}

async function* chunked(connection: Connection, idleMs: number): AsyncGenerator<Buffer> {
  let trimmings = 0
  const trim = (text: string): void => {
    trimmings += text.length
    if (trimmings > trimmingsLimit) throw new ProtocolError('too many chunk extensions or trailers in the answer')
  }
  for (;;) {
    const line = await readLine(connection, idleMs)
    const match = /^([0-9a-fA-F]{1,12})[ \t]*(?:;|$)/.exec(line)
    if (match === null) throw new ProtocolError('malformed chunk in the answer')
    trim(line.slice(match[1]!.length))
    const size = Number.parseInt(match[1]!, 16)
    if (size === 0) break
    yield* exactly(connection, size, idleMs)
    if ((await readLine(connection, idleMs)) !== '') throw new ProtocolError('malformed chunk in the answer')
  }
  const began = performance.now()
  for (let line = await readLine(connection, idleMs); line !== ''; line = await readLine(connection, idleMs)) {
    trim(`${line}\r\n`)
    if (performance.now() - began > idleMs) throw new IdleTimeoutError(idleMs, 'not done')
  }
}

/** A line between chunks. All of it has to come within the time that any silence may last. */
async function readLine(connection: Connection, idleMs: number): Promise<string> {
  const began = performance.now()
  let line = ''
  for (;;) {
    const chunk = await connection.read(idleMs)
    if (chunk === undefined) throw new ProtocolError('connection closed within the answer', 'ECONNRESET')
    const end = chunk.indexOf(10)
    const used = end < 0 ? chunk.length : end + 1
    line += chunk.toString('latin1', 0, Math.min(used, 4097))
    if (line.length > 4096) throw new ProtocolError('malformed chunk in the answer')
    if (end >= 0) {
      connection.unread(chunk.length - used)
      if (!line.endsWith('\r\n') || /[\r\n\0]/.test(line.slice(0, -2)))
        throw new ProtocolError('malformed chunk in the answer')
      return line.slice(0, -2)
    }
    if (performance.now() - began > idleMs) throw new IdleTimeoutError(idleMs, 'not done')
  }
}
