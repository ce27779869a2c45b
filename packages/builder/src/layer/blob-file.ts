/** The file that a layer is written to, made only when the layer is too big to be handed on in memory. */
import { type FileHandle, open } from 'node:fs/promises'

export class BlobFile implements AsyncDisposable {
  readonly #path: string
  readonly #inMemory: number
  readonly #held: Uint8Array[] = []
  #size = 0
  #file: FileHandle | undefined

  /**
   * @param path where no file is yet
   * @param inMemory up to this many bytes no file is made
   */
  constructor(path: string, inMemory: number) {
    this.#path = path
    this.#inMemory = inMemory
  }

  /** Writes all of `data`, which is not kept. */
  async write(data: Uint8Array): Promise<void> {
    this.#size += data.length
    if (this.#file === undefined && this.#size <= this.#inMemory) {
      this.#held.push(Uint8Array.from(data))
      return
    }
    if (this.#file === undefined) {
      this.#file = await open(this.#path, 'wx', 0o644)
      for (const part of this.#held.splice(0)) await this.#append(this.#file, part)
    }
    await this.#append(this.#file, data)
  }

  /** What was written; undefined when it is in the file. */
  content(): Buffer | undefined {
    return this.#file === undefined ? Buffer.concat(this.#held) : undefined
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file?.close()
  }

  async #append(file: FileHandle, data: Uint8Array): Promise<void> {
    for (let at = 0; at < data.length; ) at += (await file.write(data, at)).bytesWritten
  }
}
