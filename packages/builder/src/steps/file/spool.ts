/**
 * Contents that come one after the other in a stream, as those of an archive do, and are wanted in another order: small
 * ones are kept, others wait in one file.
 */
import { closeSync, openSync, writeSync } from 'node:fs'
import { layerErrors } from '../../layer/errors.ts'
import type { Content } from '../../util/content.ts'

const IN_MEMORY = 4 * 1024 * 1024

export class Spool implements Disposable {
  readonly #path: string
  #room: number
  #fd: number | undefined
  #end = 0

  /**
   * @param path where no file is yet; whoever made the directory removes it
   * @param inMemory bytes that are kept in memory, of all contents together
   */
  constructor(path: string, inMemory = IN_MEMORY) {
    this.#path = path
    this.#room = inMemory
  }

  /** Takes a content; it can be read until the spool is disposed. */
  async add(pieces: AsyncIterable<Uint8Array>): Promise<{ readonly content: Content; readonly size: number }> {
    const kept: Buffer[] = []
    let size = 0
    const offset = this.#end
    for await (const piece of pieces) {
      size += piece.length
      if (this.#end === offset && size <= this.#room) kept.push(Buffer.from(piece))
      else {
        for (const part of kept.splice(0)) this.#write(part)
        this.#write(piece)
      }
    }
    if (this.#end === offset) {
      this.#room -= size
      return { content: Buffer.concat(kept), size }
    }
    const path = this.#path
    return {
      content: { offset, open: () => openSync(path, 'r'), changed: () => layerErrors.fileChanged([path]) },
      size,
    }
  }

  #write(data: Uint8Array): void {
    this.#fd ??= openSync(this.#path, 'wx', 0o600)
    for (let at = 0; at < data.length; ) at += writeSync(this.#fd, data, at, data.length - at)
    this.#end += data.length
  }

  [Symbol.dispose](): void {
    if (this.#fd !== undefined) closeSync(this.#fd)
    this.#fd = undefined
  }
}
