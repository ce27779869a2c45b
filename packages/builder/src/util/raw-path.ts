/**
 * File names as Linux has them: bytes, not text. Names that are valid UTF-8 are ordinary strings; a byte that is not
 * becomes a lone surrogate (U+DC00 + byte), which no valid text holds, so every name survives the way there and back.
 * Leaf module.
 */
import { type Dirent, readdirSync } from 'node:fs'

/** The string for a file name's bytes. */
export function decodeName(bytes: Buffer): string {
  const text = bytes.toString('utf8')
  if (!text.includes('\ufffd') || Buffer.from(text).equals(bytes)) return text
  let out = ''
  for (let i = 0; i < bytes.length; ) {
    const length = sequenceLength(bytes, i)
    if (length === 0) out += String.fromCharCode(0xdc00 + bytes[i++]!)
    else {
      out += bytes.toString('utf8', i, i + length)
      i += length
    }
  }
  return out
}

/** Length of the valid UTF-8 sequence at `at`, 0 when there is none. */
function sequenceLength(bytes: Buffer, at: number): number {
  const first = bytes[at]!
  const length = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0
  if (length === 0 || at + length > bytes.length) return 0
  const part = bytes.subarray(at, at + length)
  return Buffer.from(part.toString('utf8')).equals(part) ? length : 0
}

/** The bytes of a name or path made by {@link decodeName}. */
export function encodePath(path: string): Buffer {
  if (path.isWellFormed()) return Buffer.from(path)
  const parts: Buffer[] = []
  let start = 0
  for (let i = 0; i < path.length; i++) {
    const code = path.charCodeAt(i)
    if (code >= 0xd800 && code < 0xdc00 && isTrailing(path.charCodeAt(i + 1))) i++
    else if (code >= 0xdc80 && code <= 0xdcff) {
      parts.push(Buffer.from(path.slice(start, i)), Buffer.of(code - 0xdc00))
      start = i + 1
    }
  }
  parts.push(Buffer.from(path.slice(start)))
  return Buffer.concat(parts)
}

function isTrailing(code: number): boolean {
  return code >= 0xdc00 && code <= 0xdfff
}

/** What fs functions take for such a path: the string itself, or its bytes where it holds some that are not UTF-8. */
export function fsPath(path: string): string | Buffer {
  return path.isWellFormed() ? path : encodePath(path)
}

/** Orders names by their bytes, as Go and C programs do. */
export function compareNames(a: string, b: string): number {
  if (a === b) return 0
  // UTF-16 order differs from byte order only where surrogates are involved.
  if (HIGH.test(a) || HIGH.test(b)) return Buffer.compare(encodePath(a), encodePath(b))
  return a < b ? -1 : 1
}

const HIGH = /[\ud800-\uffff]/

/** The entries of a directory in byte order of their names; the names are exact. */
export function readDirectory(path: string): Dirent<string>[] {
  const entries = readdirSync(fsPath(path), { withFileTypes: true, encoding: 'utf8' })
  if (entries.some((e) => e.name.includes('\ufffd'))) return readRawDirectory(path)
  const plain = !entries.some((entry) => HIGH.test(entry.name))
  return entries.sort(plain ? (a, b) => (a.name < b.name ? -1 : 1) : (a, b) => compareNames(a.name, b.name))
}

function readRawDirectory(path: string): Dirent<string>[] {
  const entries = readdirSync(fsPath(path), { withFileTypes: true, encoding: 'buffer' })
  const decoded = entries.map((e) => Object.assign(e, { name: decodeName(e.name as unknown as Buffer) }))
  return (decoded as unknown as Dirent<string>[]).sort((a, b) => compareNames(a.name, b.name))
}
