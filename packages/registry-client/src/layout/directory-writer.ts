/**
 * Writing an OCI layout directory: files appear whole and checked, or not at all.
 */
import { randomBytes } from 'node:crypto'
import { open, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { OpenContent, PushBlobOptions } from '../model/content.ts'
import { type Descriptor, parseManifest } from '../model/descriptor.ts'
import { digestAlgorithm, digestHex } from '../model/digest.ts'
import { registryErrors } from '../model/errors.ts'
import { mediaTypes } from '../model/media-types.ts'
import { makeDirectory } from '../util/make-directory.ts'
import { writing } from '../util/writing.ts'
import { lockFile } from './directory-lock.ts'
import { DirectoryFiles, fill, writeAll } from './files.ts'

/** What is in a directory that is being made a layout, and what those leave who are killed meanwhile. */
const ownNames = /^(?:blobs|oci-layout|index\.json)$|^(?:index\.json|oci-layout)\..*(?:lock|tmp)$|^\.[0-9a-f]{16}\.lock/

/** Writes into one layout directory. Changes of its index are made one after the other, whoever makes them. */
export class DirectoryWriter {
  readonly #path: string
  readonly #limit: number

  /** @param limit bytes of an index */
  constructor(path: string, limit: number) {
    this.#path = path
    this.#limit = limit
  }

  /**
   * Makes a new or empty directory a layout; leaves one alone.
   *
   * @param shared takes directories, too, that hold something else
   * @throws RegistryError LAYOUT_INVALID for those otherwise
   */
  async initialize(shared: boolean): Promise<void> {
    await writing(this.#path, makeDirectory(this.#path))
    const names = await writing(this.#path, readdir(this.#path))
    if (names.includes('oci-layout')) return
    if (!shared && !names.every((name) => ownNames.test(name)))
      throw registryErrors.layoutInvalid([this.#path, 'the directory is neither empty nor an OCI image layout'])
    await using _lock = await this.#lock()
    // Others may have begun, been killed, or be done.
    const present = await writing(this.#path, readdir(this.#path))
    if (present.includes('oci-layout')) return
    await writing(this.#path, makeDirectory(join(this.#path, 'blobs', 'sha256')))
    if (!present.includes('index.json')) await this.#writeIndex([])
    await this.writeBytes('oci-layout', Buffer.from('{"imageLayoutVersion":"1.0.0"}'))
  }

  /** Writes a small file. */
  async writeBytes(name: string, bytes: Uint8Array): Promise<void> {
    const path = join(this.#path, name)
    await writing(path, makeDirectory(dirname(path)))
    const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`
    try {
      await writing(path, writeFile(temporary, bytes, { flag: 'wx' }))
      await writing(path, rename(temporary, path))
    } catch (error) {
      await rm(temporary, { force: true })
      throw error
    }
  }

  /** Writes a blob while checking it. The caller may ask again when the content turns out wrong. */
  async writeBlob(descriptor: Descriptor, openContent: OpenContent, options: PushBlobOptions): Promise<void> {
    const folder = join(this.#path, 'blobs', digestAlgorithm(descriptor.digest))
    await writing(folder, makeDirectory(folder))
    const path = join(folder, digestHex(descriptor.digest))
    const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`
    try {
      await using handle = await writing(path, open(temporary, 'wx'))
      await fill(
        (chunk, position) => writing(path, writeAll(handle, chunk, position)),
        0,
        descriptor,
        openContent,
        options,
      )
      await writing(path, rename(temporary, path))
    } catch (error) {
      await rm(temporary, { force: true })
      throw error
    }
  }

  /** Replaces the entries of `index.json`. */
  async updateIndex(
    change: (manifests: readonly Descriptor[]) => readonly Descriptor[],
    signal?: AbortSignal,
  ): Promise<void> {
    await using _lock = await this.#lock(signal)
    const bytes = await new DirectoryFiles(this.#path).read('index.json', this.#limit)
    const document = parseManifest(
      bytes ?? Buffer.from('{"schemaVersion":2,"manifests":[]}'),
      mediaTypes.ociIndex,
      'index.json',
    )
    await this.#writeIndex(change(document.kind === 'index' ? document.index.manifests : []))
  }

  #lock(signal?: AbortSignal): Promise<AsyncDisposable> {
    return lockFile(join(this.#path, 'index.json.lock'), signal)
  }

  async #writeIndex(manifests: readonly Descriptor[]): Promise<void> {
    const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests }
    await this.writeBytes('index.json', Buffer.from(JSON.stringify(index)))
  }
}
