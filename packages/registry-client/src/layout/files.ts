/**
 * The files of a layout or archive, in a directory or in a tar: small ones whole, big ones as streams.
 */
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import type { OpenBlobOptions, OpenContent, PushBlobOptions } from '../model/content.ts'
import type { Descriptor } from '../model/descriptor.ts'
import { DigestVerifier } from '../model/digest.ts'
import { registryErrors } from '../model/errors.ts'
import { isSelfVerifying } from '../model/verified-stream.ts'
import { fileProblem } from '../util/file-problem.ts'

/** Named byte ranges that can be read. Names are relative with `/`, and never from outside unchecked. */
export interface Files {
  /** What it is called in messages. */
  readonly path: string
  /** Size in bytes; undefined when there is no such file. */
  size(name: string): Promise<number | undefined>
  /** The whole file; undefined when there is none. @throws RegistryError LAYOUT_INVALID above `limit` bytes */
  read(name: string, limit: number): Promise<Buffer | undefined>
  /** The bytes from `offset` on, as many as there are. @throws RegistryError NOT_FOUND */
  stream(name: string, options: OpenBlobOptions): AsyncIterable<Buffer>
}

/** Bytes per read: big ones halve the CPU of an upload. */
const chunkBytes = 2 << 20

/** Files below a directory. */
export class DirectoryFiles implements Files {
  readonly path: string
  readonly #buffers = new ReadBuffers()

  constructor(path: string) {
    this.path = path
  }

  async size(name: string): Promise<number | undefined> {
    await using handle = await this.#open(name)
    return handle === undefined ? undefined : (await handle.stat()).size
  }

  async read(name: string, limit: number): Promise<Buffer | undefined> {
    await using handle = await this.#open(name)
    return handle === undefined
      ? undefined
      : await readWhole(handle, 0, (await handle.stat()).size, limit, join(this.path, name))
  }

  async *stream(name: string, options: OpenBlobOptions): AsyncGenerator<Buffer> {
    await using handle = await this.#open(name)
    if (handle === undefined) throw registryErrors.notFound([join(this.path, name)])
    yield* readRange(handle, options.offset ?? 0, Number.POSITIVE_INFINITY, options, this.#buffers)
  }

  /** Only regular files: opening must not block on a FIFO that somebody put there. */
  async #open(name: string): Promise<FileHandle | undefined> {
    const path = join(this.path, name)
    let handle: FileHandle
    try {
      handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException
      if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
      throw registryErrors.layoutInvalid([path, fileProblem(cause)], { cause })
    }
    if ((await handle.stat()).isFile()) return handle
    await handle.close()
    throw registryErrors.layoutInvalid([path, 'not a regular file'])
  }
}

/** A range of an open file in memory. */
export async function readWhole(
  handle: FileHandle,
  start: number,
  size: number,
  limit: number,
  path: string,
): Promise<Buffer> {
  if (size > limit) throw registryErrors.layoutInvalid([path, `it is larger than ${limit} bytes`])
  const buffer = Buffer.alloc(size)
  let filled = 0
  while (filled < size) {
    const { bytesRead } = await handle.read(buffer, filled, size - filled, start + filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return buffer.subarray(0, filled)
}

/** Read buffers that streams of one source pass on to each other; never more than were in use at a time. */
export class ReadBuffers {
  readonly #free: Buffer[] = []

  take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(chunkBytes)
  }

  give(buffer: Buffer): void {
    this.#free.push(buffer)
  }
}

/** The bytes in `[start, end)` of an open file; transient chunks share a buffer. */
export async function* readRange(
  handle: FileHandle,
  start: number,
  end: number,
  { signal, transient }: OpenBlobOptions,
  buffers: ReadBuffers,
): AsyncGenerator<Buffer> {
  const { size } = await handle.stat()
  const stop = Math.min(end, size)
  const shared = transient === true ? buffers.take() : undefined
  try {
    for (let position = start; position < stop; ) {
      signal?.throwIfAborted()
      const wanted = Math.min(chunkBytes, stop - position)
      const buffer = shared ?? Buffer.allocUnsafeSlow(wanted)
      const { bytesRead } = await handle.read(buffer, 0, wanted, position)
      if (bytesRead === 0) return
      position += bytesRead
      yield buffer.subarray(0, bytesRead)
    }
  } finally {
    if (shared !== undefined) buffers.give(shared)
  }
}

/** Writes the content of a blob from a position on and checks it. */
export async function fill(
  write: (chunk: Uint8Array, position: number) => Promise<unknown>,
  start: number,
  descriptor: Descriptor,
  openContent: OpenContent,
  { signal, onProgress }: PushBlobOptions,
): Promise<void> {
  const content = openContent(0)
  const verifier = isSelfVerifying(content, descriptor.digest) ? undefined : new DigestVerifier(descriptor)
  let transferred = 0
  for await (const chunk of content) {
    signal?.throwIfAborted()
    verifier?.update(chunk)
    await write(chunk, start + transferred)
    transferred += chunk.length
    onProgress?.({ descriptor, transferred })
  }
  verifier?.end()
}

/** All of a chunk at a position of a file. */
export async function writeAll(handle: FileHandle, chunk: Uint8Array, position: number): Promise<void> {
  for (let at = 0; at < chunk.length; )
    at += (await handle.write(chunk, at, chunk.length - at, position + at)).bytesWritten
}
