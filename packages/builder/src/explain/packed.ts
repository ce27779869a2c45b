/** Texts of any length in records: compressed, as records are JSON. */
import { promisify } from 'node:util'
import { zstdCompress, zstdDecompress } from 'node:zlib'

const compress = promisify(zstdCompress)
const decompress = promisify(zstdDecompress)

/** Most bytes of a text that is kept. */
const LIMIT = 64 * 1024 * 1024

/** undefined when the text is too long to be kept. */
export async function pack(text: string): Promise<string | undefined> {
  const bytes = Buffer.from(text)
  return bytes.length > LIMIT ? undefined : (await compress(bytes)).toString('base64')
}

/** The text of {@link pack} as `parse` reads it; undefined when it is none, or one of another version. */
export async function unpack<T>(packed: string, parse: (text: string) => T): Promise<T | undefined> {
  try {
    return parse((await decompress(Buffer.from(packed, 'base64'), { maxOutputLength: LIMIT })).toString())
  } catch {
    return undefined
  }
}
