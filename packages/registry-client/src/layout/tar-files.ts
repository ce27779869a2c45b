/**
 * The files in a tar, found by one pass over its headers and then read in place.
 */
import { createReadStream, createWriteStream } from 'node:fs'
import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, posix } from 'node:path'
import { Readable, type Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip, createZstdDecompress } from 'node:zlib'
import type { OpenBlobOptions } from '../model/content.ts'
import { registryErrors } from '../model/errors.ts'
import { fileProblem } from '../util/file-problem.ts'
import { type Files, ReadBuffers, readRange, readWhole } from './files.ts'
import { blockBytes, parseTarHeader, tarPadding } from './tar-header.ts'

/** Bounds of what is accepted: entries of an archive, and bytes of an extended header. */
const entryLimit = 100_000
const extendedLimit = 1 << 20

interface Span {
  readonly start: number
  readonly size: number
}

/** Files of an open tar. Close it when done. */
export class TarFiles implements Files, AsyncDisposable {
  readonly path: string
  readonly #handle: FileHandle
  readonly #spans: ReadonlyMap<string, Span>
  readonly #temporary: string | undefined
  readonly #buffers = new ReadBuffers()

  private constructor(
    path: string,
    handle: FileHandle,
    spans: ReadonlyMap<string, Span>,
    temporary: string | undefined,
  ) {
    this.path = path
    this.#handle = handle
    this.#spans = spans
    this.#temporary = temporary
  }

  /**
   * Opens a tar; one that is compressed (gzip, zstd, xz) is unpacked to a temporary file first, since its middle cannot be
   * reached else.
   *
   * @throws RegistryError LAYOUT_INVALID
   */
  static async open(path: string, signal?: AbortSignal): Promise<TarFiles> {
    let handle = await openFile(path)
    let temporary: string | undefined
    try {
      const magic = Buffer.alloc(6)
      await handle.read(magic, 0, magic.length, 0)
      const unpacked = unpack(path, magic)
      if (unpacked !== undefined) {
        temporary = await mkdtemp(join(tmpdir(), 'registry-client-'))
        const plain = join(temporary, 'archive.tar')
        await writeUnpacked(unpacked, plain, path, signal)
        await handle.close()
        handle = await openFile(plain)
      }
      return new TarFiles(path, handle, await indexEntries(handle, path, signal), temporary)
    } catch (error) {
      await handle.close()
      if (temporary !== undefined) await rm(temporary, { recursive: true, force: true })
      throw error
    }
  }

  /** Names of all files. */
  names(): IterableIterator<string> {
    return this.#spans.keys()
  }

  async size(name: string): Promise<number | undefined> {
    return this.#spans.get(name)?.size
  }

  async read(name: string, limit: number): Promise<Buffer | undefined> {
    const span = this.#spans.get(name)
    return span === undefined
      ? undefined
      : readWhole(this.#handle, span.start, span.size, limit, `${this.path}: ${name}`)
  }

  async *stream(name: string, options: OpenBlobOptions): AsyncGenerator<Buffer> {
    const span = this.#spans.get(name)
    if (span === undefined) throw registryErrors.notFound([`${this.path}: ${name}`])
    yield* readRange(this.#handle, span.start + (options.offset ?? 0), span.start + span.size, options, this.#buffers)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close()
    if (this.#temporary !== undefined) await rm(this.#temporary, { recursive: true, force: true })
  }
}

/** The plain content of a compressed file, told by how it begins; undefined for others. */
function unpack(path: string, magic: Buffer): AsyncIterable<Uint8Array> | undefined {
  if (magic.readUInt16BE(0) === 0x1f8b) return piped(path, createGunzip({ chunkSize: 256 << 10 }))
  if (magic.readUInt32LE(0) === 0xfd2fb528) return piped(path, createZstdDecompress({ chunkSize: 256 << 10 }))
  return magic.toString('latin1') === '\xfd7zXZ\0' ? unxz(path) : undefined
}

async function* piped(path: string, stream: Transform): AsyncGenerator<Uint8Array> {
  const source = createReadStream(path)
  source.on('error', (error) => stream.destroy(error))
  try {
    yield* source.pipe(stream)
  } finally {
    source.destroy()
    stream.destroy()
  }
}

/** By WebAssembly, which is loaded only when such an archive is met. */
async function* unxz(path: string): AsyncGenerator<Uint8Array> {
  const { XzReadableStream } = (await import('xz-decompress')).default
  const stream = new XzReadableStream(Readable.toWeb(createReadStream(path)) as ReadableStream<Uint8Array>)
  // The decoder uses its memory again, and writing is not done when the next chunk is asked for.
  for await (const chunk of stream) yield Buffer.from(chunk)
}

/** @throws RegistryError LAYOUT_INVALID when the content is broken */
async function writeUnpacked(
  content: AsyncIterable<Uint8Array>,
  plain: string,
  path: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  try {
    await pipeline(content, createWriteStream(plain), { ...(signal && { signal }) })
  } catch (cause) {
    signal?.throwIfAborted()
    if (typeof (cause as NodeJS.ErrnoException).syscall === 'string') throw cause
    const why = cause instanceof Error ? cause.message : String(cause)
    throw registryErrors.layoutInvalid([path, `cannot be unpacked: ${why}`], { cause })
  }
}

async function openFile(path: string): Promise<FileHandle> {
  try {
    const handle = await open(path, 'r')
    if (!(await handle.stat()).isDirectory()) return handle
    await handle.close()
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code === 'ENOENT') throw registryErrors.notFound([path], { cause })
    throw registryErrors.layoutInvalid([path, fileProblem(cause)], { cause })
  }
  throw registryErrors.layoutInvalid([path, 'it is a directory, not an archive'])
}

/** Where each file's content is; links are followed within the archive. Of equal names the last one counts. */
async function indexEntries(
  handle: FileHandle,
  path: string,
  signal: AbortSignal | undefined,
): Promise<Map<string, Span>> {
  const fail = (why: string) => registryErrors.layoutInvalid([path, why])
  const { size: total } = await handle.stat()
  if (total < blockBytes) throw fail('not a tar archive')
  const spans = new Map<string, Span>()
  const links = new Map<string, string>()
  const block = Buffer.alloc(blockBytes)
  let extended: { path?: string; linkpath?: string; size?: number } = {}
  let count = 0
  for (let position = 0; position + blockBytes <= total; ) {
    signal?.throwIfAborted()
    if (++count > entryLimit) throw fail(`more than ${entryLimit} entries`)
    await handle.read(block, 0, blockBytes, position)
    let header: ReturnType<typeof parseTarHeader>
    try {
      header = parseTarHeader(block)
    } catch (cause) {
      throw registryErrors.layoutInvalid([path, 'not a tar archive'], { cause })
    }
    if (header === undefined) break
    const start = position + blockBytes
    const size = 'xgLK'.includes(header.type) ? header.size : (extended.size ?? header.size)
    if (start + size > total) throw fail('the archive is cut off')
    if (header.type === 'x' || header.type === 'L' || header.type === 'K') {
      const content = (await readWhole(handle, start, size, extendedLimit, path)).toString('utf8')
      if (header.type === 'x') extended = { ...extended, ...parsePax(content) }
      else extended[header.type === 'L' ? 'path' : 'linkpath'] = content.replace(/\0.*$/s, '')
    } else if (header.type !== 'g') {
      const name = cleanName(extended.path ?? header.name)
      const link = extended.linkpath ?? header.linkName
      spans.delete(name)
      links.delete(name)
      if (header.type === '0' || header.type === '7') spans.set(name, { start, size })
      else if (header.type === '1') links.set(name, cleanName(link))
      else if (header.type === '2') links.set(name, cleanName(posix.join(posix.dirname(name), link)))
      extended = {}
    }
    position = start + size + tarPadding(size)
  }
  for (const [name, link] of links) {
    let at: string | undefined = link
    for (let hops = 0; at !== undefined && !spans.has(at) && hops < 10; hops++) at = links.get(at)
    const span = at === undefined ? undefined : spans.get(at)
    if (span !== undefined) spans.set(name, span)
  }
  return spans
}

/** `./a//b` → `a/b`; what leads out of the archive simply is a name that nobody asks for. */
function cleanName(name: string): string {
  return posix
    .normalize(name)
    .replace(/^\.?\/+/, '')
    .replace(/\/$/, '')
}

function parsePax(content: string): { path?: string; linkpath?: string; size?: number } {
  const result: { path?: string; linkpath?: string; size?: number } = {}
  for (let rest = content; rest !== ''; ) {
    const length = Number(/^(\d{1,7}) /.exec(rest)?.[1] ?? 0)
    const bytes = Buffer.from(rest)
    if (length === 0 || length > bytes.length) break
    const record = bytes.toString('utf8', 0, length)
    const match = /^\d+ ([^=]+)=(.*)\n$/s.exec(record)
    if (match?.[1] === 'path') result.path = match[2]!
    else if (match?.[1] === 'linkpath') result.linkpath = match[2]!
    else if (match?.[1] === 'size' && /^\d{1,15}$/.test(match[2]!)) result.size = Number(match[2])
    rest = bytes.toString('utf8', length)
  }
  return result
}
