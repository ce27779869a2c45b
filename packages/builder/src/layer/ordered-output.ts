/** The file of a blob whose parts are made side by side and written one after the other. */
import { availableParallelism } from 'node:os'
import { Digester } from '@tsbuild/registry-client'
import { throwIfAborted } from '../errors.ts'
import type { BlobFile } from './blob-file.ts'

/** Most input under way at once; its output is at most about as much again. */
const MOST_BYTES = 32 * 1024 * 1024

export class OrderedOutput {
  readonly #file: BlobFile
  readonly #signal: AbortSignal | undefined
  readonly #digester = new Digester('sha256')
  /** Parts under way at once: enough to keep all cores busy while this thread has other things to do. */
  readonly #most: number
  readonly #underWay: Promise<void>[] = []
  #last: Promise<void> = Promise.resolve()

  /** @param partSize most bytes of input that a part is made from */
  constructor(file: BlobFile, partSize: number, signal: AbortSignal | undefined) {
    this.#file = file
    this.#signal = signal
    this.#most = Math.max(2, Math.min(2 * availableParallelism() + 4, MOST_BYTES / partSize))
  }

  /**
   * Adds a part; resolves when there is room for the next.
   *
   * @param done called when it is written, with where it begins; its input is not needed any more
   */
  async add(
    work: Promise<readonly Buffer[]>,
    done?: (parts: readonly Buffer[], offset: number) => void,
  ): Promise<void> {
    // Failures show where `written` is awaited.
    work.catch(() => undefined)
    throwIfAborted(this.#signal)
    const before = this.#last
    const written = (async () => {
      await before
      const parts = await work
      const offset = this.#digester.size
      for (const part of parts) await this.#emit(part)
      done?.(parts, offset)
    })()
    written.catch(() => undefined)
    this.#last = written
    this.#underWay.push(written)
    if (this.#underWay.length >= this.#most) await this.#underWay.shift()
  }

  /** Waits until all is written; tells digest and size of it. */
  async end(): Promise<{ digest: `sha256:${string}`; size: number }> {
    await this.#last
    return { digest: this.#digester.digest() as `sha256:${string}`, size: this.#digester.size }
  }

  /** Waits until nothing is written any more, so that the file can be closed after a failure. */
  async settle(): Promise<void> {
    await Promise.allSettled([...this.#underWay, this.#last])
  }

  async #emit(data: Buffer): Promise<void> {
    throwIfAborted(this.#signal)
    this.#digester.update(data)
    await this.#file.write(data)
  }
}
