/**
 * Looks for secrets in what a RUN has written: as they are, in base64 (whatever stands before them) and URL-encoded.
 * Secrets shorter than {@link SHORTEST} are not looked for: they would be found everywhere.
 */
import { closeSync, openSync, readSync } from 'node:fs'
import type { Change } from '../snapshot/snapshotter.ts'
import { fsPath } from '../util/raw-path.ts'

const SHORTEST = 8
const CHUNK = 1 << 20

/** The texts that give a secret away. */
export function secretPatterns(secret: Uint8Array): Buffer[] {
  const bytes = trimmed(Buffer.from(secret))
  if (bytes.length < SHORTEST) return []
  const patterns = new Map<string, Buffer>()
  const add = (pattern: Buffer): void => void patterns.set(pattern.toString('latin1'), pattern)
  add(bytes)
  for (const encoding of ['base64', 'base64url'] as const)
    for (const before of [0, 1, 2]) add(Buffer.from(base64Core(bytes, before, encoding)))
  const text = bytes.toString('utf8')
  if (Buffer.from(text).equals(bytes)) {
    add(Buffer.from(encodeURIComponent(text)))
    add(Buffer.from(new URLSearchParams({ '': text }).toString().slice(1)))
  }
  return [...patterns.values()]
}

/** A file's last newline is rarely part of the secret, and rarely copied. */
function trimmed(bytes: Buffer): Buffer {
  let end = bytes.length
  while (end > 0 && (bytes[end - 1] === 0x0a || bytes[end - 1] === 0x0d)) end--
  return bytes.subarray(0, end)
}

/** The characters of the base64 form that depend on the secret alone, when `before` bytes stand in front of it. */
function base64Core(bytes: Buffer, before: number, encoding: 'base64' | 'base64url'): string {
  const text = Buffer.concat([Buffer.alloc(before), bytes]).toString(encoding)
  return text.slice(Math.ceil((before * 8) / 6), Math.floor(((before + bytes.length) * 8) / 6))
}

/** The path of the first changed file that holds one of the patterns. */
export async function findSecret(
  changes: AsyncIterable<Change>,
  patterns: readonly Buffer[],
): Promise<string | undefined> {
  const longest = Math.max(...patterns.map((p) => p.length))
  const buffer = Buffer.allocUnsafe(CHUNK + longest)
  for await (const change of changes) {
    if (change.kind !== 'upsert') continue
    if (change.stat.isFile() && holds(change.fsPath, patterns, buffer, longest)) return change.path
  }
  return undefined
}

function holds(path: string | Buffer, patterns: readonly Buffer[], buffer: Buffer, longest: number): boolean {
  const fd = openSync(typeof path === 'string' ? fsPath(path) : path, 'r')
  try {
    // The end of each chunk is kept, so that nothing is missed at the border.
    let kept = 0
    for (;;) {
      const read = readSync(fd, buffer, kept, CHUNK, null)
      if (read === 0) return false
      const window = buffer.subarray(0, kept + read)
      if (patterns.some((pattern) => window.includes(pattern))) return true
      kept = Math.min(longest - 1, window.length)
      window.copy(buffer, 0, window.length - kept)
    }
  } finally {
    closeSync(fd)
  }
}
