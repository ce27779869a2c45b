/** For tests: tar archives with any bytes in them, good or bad, made independently of the writer. */
import { createHash } from 'node:crypto'

/** A header field by field; texts go in as they are, numbers as octal digits. */
export interface RawHeader {
  readonly name?: string | Buffer
  readonly mode?: number
  readonly uid?: number | Buffer
  readonly gid?: number | Buffer
  readonly size?: number | Buffer
  readonly mtime?: number
  readonly type?: string
  readonly linkname?: string
  readonly magic?: string
  readonly major?: number
  readonly minor?: number
  readonly prefix?: string
  readonly badChecksum?: boolean
}

/** One header block. */
export function rawHeader(h: RawHeader): Buffer {
  const block = Buffer.alloc(512)
  const put = (value: string | Buffer, at: number) => Buffer.from(value as string).copy(block, at)
  const number = (value: number | Buffer, at: number, digits: number) =>
    put(typeof value === 'number' ? `${value.toString(8).padStart(digits, '0')}\0` : value, at)
  put(h.name ?? 'x', 0)
  number(h.mode ?? 0o644, 100, 7)
  number(h.uid ?? OWNER.uid, 108, 7)
  number(h.gid ?? OWNER.gid, 116, 7)
  number(h.size ?? 0, 124, 11)
  number(h.mtime ?? 1_600_000_000, 136, 11)
  put(h.type ?? '0', 156)
  put(h.linkname ?? '', 157)
  put(h.magic ?? 'ustar\x0000', 257)
  number(h.major ?? 0, 329, 7)
  number(h.minor ?? 0, 337, 7)
  put(h.prefix ?? '', 345)
  block.fill(' ', 148, 156)
  const sum = block.reduce((total, byte) => total + byte, 0) + (h.badChecksum ? 1 : 0)
  put(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return block
}

/** Files belong to whoever runs the tests, so that they can be unpacked without privileges. */
export const OWNER = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 }

export function padded(data: string | Buffer): Buffer {
  const bytes = Buffer.from(data as string)
  return Buffer.concat([bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)])
}

type More = RawHeader

export const file = (name: string | Buffer, content: string | Buffer = '', more: More = {}) =>
  Buffer.concat([rawHeader({ name, size: Buffer.byteLength(content as string), ...more }), padded(content)])
export const dir = (name: string, more: More = {}) => rawHeader({ name: `${name}/`, type: '5', mode: 0o755, ...more })
export const sym = (name: string, linkname: string, more: More = {}) =>
  rawHeader({ name, type: '2', linkname, mode: 0o777, ...more })
export const hard = (name: string, linkname: string, more: More = {}) =>
  rawHeader({ name, type: '1', linkname, ...more })
/** A pax header with these records. */
export function pax(records: Readonly<Record<string, string | Buffer>>): Buffer {
  const body = Buffer.concat(
    Object.entries(records).map(([key, value]) => {
      const rest = Buffer.concat([Buffer.from(` ${key}=`), Buffer.from(value as string), Buffer.from('\n')])
      let length = rest.length
      while (String(length).length + rest.length !== length) length = String(length).length + rest.length
      return Buffer.concat([Buffer.from(String(length)), rest])
    }),
  )
  return Buffer.concat([rawHeader({ name: 'pax', type: 'x', size: body.length }), padded(body)])
}
export const END = Buffer.alloc(1024)
export const tar = (...parts: Buffer[]) => Buffer.concat([...parts, END])

/** A stream of these bytes in pieces of a size. */
export async function* stream(data: Buffer, piece = data.length || 1): AsyncGenerator<Buffer> {
  for (let at = 0; at < data.length; at += piece) yield data.subarray(at, at + piece)
}

export const sha256 = (data: string | Buffer) => `sha256:${createHash('sha256').update(data).digest('hex')}`
