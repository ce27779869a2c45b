/** Where the bytes of a file on its way into a layer are. They are read when the file is written, and only then. */
import { createHash, hash } from 'node:crypto'
import { closeSync, readSync } from 'node:fs'

/** Bytes at hand, or a file that is opened for reading. */
export type Content = Buffer | ContentFile

export interface ContentFile {
  /**
   * The caller closes the descriptor.
   *
   * @param asks whether the caller asks {@link isSame} before anything counts that is read: nothing is looked at before
   */
  open(asks?: boolean): number
  /** Where in the opened file it begins; undefined: the file holds it and nothing else. */
  readonly offset?: number | undefined
  /** Whether what was read is still what was looked at before; asked when all of it was read. */
  isSame?(fd: number): boolean
  /** The error for a file that has become another one. */
  changed(): Error
}

const PIECE = 256 * 1024

/** Content in pieces, each valid until the next one is asked for. @throws what {@link ContentFile.changed} makes */
export function* piecesOf(content: Content, size: number): Generator<Buffer> {
  if (Buffer.isBuffer(content)) {
    yield content
    return
  }
  const fd = content.open()
  try {
    const whole = content.offset === undefined
    // A byte more than the file has shows that it has grown.
    const buffer = Buffer.allocUnsafe(Math.min(PIECE, size + 1))
    let done = 0
    while (done < size || whole) {
      const room = whole ? buffer.length : Math.min(buffer.length, size - done)
      const length = readSync(fd, buffer, 0, room, whole ? null : content.offset! + done)
      if (length === 0) break
      done += length
      if (done > size) throw content.changed()
      yield buffer.subarray(0, length)
    }
    if (done !== size || content.isSame?.(fd) === false) throw content.changed()
  } finally {
    closeSync(fd)
  }
}

/**
 * Looks whether content is still what it was before it was read, for those who need not have read it to its end.
 *
 * @throws what {@link ContentFile.open} and {@link ContentFile.changed} make
 */
export function checkUnchanged(content: Content): void {
  if (Buffer.isBuffer(content)) return
  const fd = content.open()
  try {
    if (content.isSame?.(fd) === false) throw content.changed()
  } finally {
    closeSync(fd)
  }
}

/**
 * Reads from a file as readSync does.
 *
 * @throws what {@link ContentFile.changed} makes for what has become something that cannot be read
 */
export function readContent(
  content: ContentFile,
  fd: number,
  into: Buffer,
  at: number,
  length: number,
  position: number | null,
): number {
  try {
    return readSync(fd, into, at, length, position)
  } catch (error) {
    throw content.isSame?.(fd) === false ? content.changed() : error
  }
}

/** Files that are smaller are read by one call into one place. */
const whole = Buffer.allocUnsafeSlow(64 * 1024)

/** sha256 of content, hexadecimal. @throws what {@link ContentFile.changed} makes */
export function digestOfContent(content: Content, size: number): string {
  if (!Buffer.isBuffer(content) && content.offset === undefined && size < whole.length) {
    const fd = content.open(true)
    try {
      const length = readContent(content, fd, whole, 0, whole.length, null)
      if (length !== size || content.isSame?.(fd) === false) throw content.changed()
      return hash('sha256', whole.subarray(0, length))
    } finally {
      closeSync(fd)
    }
  }
  const pieces = piecesOf(content, size)
  const first = pieces.next()
  // Most files are small: asked once, and not by a hash that is made, fed and read.
  if (first.done === true) return hash('sha256', '')
  if (first.value.length === size && size < PIECE) {
    const digest = hash('sha256', first.value)
    pieces.next()
    return digest
  }
  const digest = createHash('sha256').update(first.value)
  for (const piece of pieces) digest.update(piece)
  return digest.digest('hex')
}
