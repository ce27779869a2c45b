/** Where the bytes of an archive go: a file, at any place of it at any time, or a stream, one after the other. */
import { randomBytes } from 'node:crypto'
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { writeFailure, writing } from '../util/writing.ts'
import { writeAll } from './files.ts'

export interface ArchiveOutput {
  /** What it is called in messages. */
  readonly name: string
  /** Writes at a position. The chunk may be used again afterwards. @throws RegistryError ARCHIVE_FAILED */
  write(chunk: Uint8Array, position: number, signal?: AbortSignal): Promise<void>
  /** What should have been written somewhere will not come. */
  giveUp(reason: unknown): void
  /** Everything is written. */
  finish(): Promise<void>
  /** Takes back what can be taken back. */
  discard(): Promise<void>
}

/** A file beside its place, moved there when it is whole and on disk. */
export class FileOutput implements ArchiveOutput {
  readonly name: string
  readonly #temporary: string
  readonly #handle: FileHandle

  private constructor(path: string, temporary: string, handle: FileHandle) {
    this.name = path
    this.#temporary = temporary
    this.#handle = handle
  }

  static async open(path: string): Promise<FileOutput> {
    const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`
    return new FileOutput(path, temporary, await writing(path, open(temporary, 'wx')))
  }

  async write(chunk: Uint8Array, position: number): Promise<void> {
    await writing(this.name, writeAll(this.#handle, chunk, position))
  }

  giveUp(): void {}

  async finish(): Promise<void> {
    try {
      await writing(this.name, this.#handle.sync())
      await this.#handle.close()
      await writing(this.name, rename(this.#temporary, this.name))
    } catch (error) {
      await this.discard()
      throw error
    }
  }

  async discard(): Promise<void> {
    await this.#handle.close()
    await rm(this.#temporary, { force: true })
  }
}

/** A stream, which is not ended: it may be stdout. What comes early waits until all before it has been written. */
export class StreamOutput implements ArchiveOutput {
  readonly name = 'the stream'
  readonly #stream: NodeJS.WritableStream
  readonly #waiting = new Map<number, () => void>()
  readonly #failed = new AbortController()
  readonly #broken = (error: Error): void => this.giveUp(writeFailure(this.name, error))
  #position = 0

  constructor(stream: NodeJS.WritableStream) {
    this.#stream = stream
    stream.on('error', this.#broken)
  }

  async write(chunk: Uint8Array, position: number, signal?: AbortSignal): Promise<void> {
    const stop = AbortSignal.any([this.#failed.signal, ...(signal ? [signal] : [])])
    while (position !== this.#position) await called(stop, (done) => this.#waiting.set(position, done))
    this.#waiting.delete(position)
    await called(stop, (done) =>
      // Streams keep what they are given for as long as they like.
      this.#stream.write(Buffer.from(chunk), (error) => (error ? this.#broken(error) : done())),
    )
    this.#position += chunk.length
    this.#waiting.get(this.#position)?.()
  }

  giveUp(reason: unknown): void {
    this.#failed.abort(reason)
  }

  async finish(): Promise<void> {
    await this.discard()
    this.#failed.signal.throwIfAborted()
  }

  async discard(): Promise<void> {
    this.#stream.removeListener('error', this.#broken)
  }
}

/** Waits to be called back. @throws the reason of `stop` as soon as that is aborted: a reader may never read on */
async function called(stop: AbortSignal, start: (done: () => void) => void): Promise<void> {
  stop.throwIfAborted()
  await new Promise<void>((resolve, reject) => {
    const abort = () => reject(stop.reason)
    stop.addEventListener('abort', abort, { once: true })
    start(() => {
      stop.removeEventListener('abort', abort)
      resolve()
    })
  })
}
