/** The content store as plain files: temporary name → fsync → verify → rename → fsync of the directory. */
import { createReadStream } from 'node:fs'
import { chmod, type FileHandle, open, readFile, rename, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { type Digest, Digester, digestAlgorithm, digestHex, isDigest, isSelfVerifying } from '@tsbuild/registry-client'
import { BuildError, throwIfAborted } from '../errors.ts'
import { hasCode } from '../util/has-code.ts'
import { makeDirectorySync } from '../util/make-directory.ts'
import type { BlobInfo, ContentStore, ExpectedBlob } from './content-store.ts'
import { storeErrors } from './errors.ts'
import type { Temporaries } from './temporary.ts'

const READ_CHUNK = 1024 * 1024
export const DOCUMENT_LIMIT = 4 * 1024 * 1024

/**
 * Opens the blobs of a store directory that {@link openStore} has prepared.
 *
 * @param claim keeps a blob from being pruned from then on, there or not; called before anything is said of it
 */
export function openBlobs(
  root: string,
  temporaries: Temporaries,
  claim: (digest: Digest) => Promise<void>,
): ContentStore {
  const path = (digest: string) => join(root, 'blobs', digestAlgorithm(checked(digest)), digestHex(checked(digest)))
  const size = async (digest: string) => {
    await claim(checked(digest))
    const found = await stat(path(digest)).catch(absent)
    return found?.isFile() ? found.size : undefined
  }

  async function* verified(digest: Digest, signal: AbortSignal | undefined): AsyncGenerator<Buffer> {
    const digester = new Digester(digestAlgorithm(digest))
    await claim(digest)
    try {
      for await (const chunk of createReadStream(path(digest), {
        highWaterMark: READ_CHUNK,
        ...(signal && { signal }),
      })) {
        digester.update(chunk as Buffer)
        yield chunk as Buffer
      }
    } catch (cause) {
      throwIfAborted(signal)
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') throw storeErrors.blobMissing([digest], { cause })
      throw cause
    }
    if (digester.digest() !== digest) {
      // A store that cannot be written keeps it.
      await quarantine(digest).catch(() => undefined)
      throw storeErrors.blobCorrupt([digest])
    }
  }

  async function quarantine(digest: Digest): Promise<void> {
    const aside = join(root, 'quarantine')
    makeDirectorySync(aside, 0o700)
    await rename(path(digest), join(aside, `${digestHex(digest)}.${process.hrtime.bigint()}`))
  }

  async function isIntact(digest: Digest): Promise<boolean> {
    const digester = new Digester(digestAlgorithm(digest))
    digester.update(await readFile(path(digest)).catch(() => Buffer.of()))
    return digester.digest() === digest
  }

  async function install(temporary: string, digest: Digest): Promise<void> {
    await chmod(temporary, 0o644)
    await claim(digest)
    const target = path(digest)
    const place = () => rename(temporary, target)
    await place().catch(async (error: unknown) => {
      if (!hasCode(error, 'ENOENT')) throw error
      makeDirectorySync(dirname(target), 0o700)
      await place()
    })
    await syncPath(dirname(target))
  }

  async function put(
    content: AsyncIterable<Uint8Array> | Uint8Array,
    expected?: ExpectedBlob,
    signal?: AbortSignal,
  ): Promise<BlobInfo> {
    const data = content instanceof Uint8Array ? inOnePiece(content) : content
    throwIfAborted(signal)
    const wanted = expected && checked(expected.digest)
    if (wanted) {
      const stored = await size(wanted)
      const whole = stored !== undefined && stored === (expected.size ?? stored)
      // Documents are small enough to look whether they are still what they should be.
      if (whole && (!(content instanceof Uint8Array) || (await isIntact(wanted)))) {
        await data[Symbol.asyncIterator]().return?.()
        return { digest: wanted, size: stored }
      }
    }
    await using file = temporaries.file('put')
    const handle = await open(file.path, 'wx', 0o644)
    let written: BlobInfo
    try {
      written = await writeAll(handle, data, expected && { ...expected, digest: checked(expected.digest) }, signal)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await install(file.path, written.digest)
    return written
  }

  return {
    path,
    size,
    put,
    has: async (digest) => (await size(digest)) !== undefined,
    open: (digest, signal) =>
      Readable.from(verified(checked(digest), signal), { objectMode: false, highWaterMark: READ_CHUNK }),
    async verify(digest, signal) {
      try {
        for await (const _ of verified(checked(digest), signal));
        return true
      } catch (error) {
        if (error instanceof BuildError && (error.code === 'BLOB_MISSING' || error.code === 'BLOB_CORRUPT'))
          return false
        throw error
      }
    },
    async read(digest, limit = DOCUMENT_LIMIT) {
      const bytes = await size(digest)
      if (bytes === undefined) throw storeErrors.blobMissing([digest])
      if (bytes > limit) throw storeErrors.blobTooLarge([digest, bytes, limit])
      const chunks: Buffer[] = []
      for await (const chunk of verified(checked(digest), undefined)) chunks.push(chunk)
      return Buffer.concat(chunks)
    },
    async adopt(file, blob) {
      const digest = checked(blob.digest)
      const handle = await open(file, 'r+')
      try {
        const { size: actual } = await handle.stat()
        if (actual !== blob.size) throw storeErrors.blobMismatch([`${blob.size} bytes`, `${actual} bytes`])
        await handle.sync()
      } finally {
        await handle.close()
      }
      await install(file, digest)
    },
    temporary: temporaries.directory,
    temporaryFile: temporaries.file,
  }
}

async function* inOnePiece(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

async function writeAll(
  handle: FileHandle,
  data: AsyncIterable<Uint8Array>,
  expected: (ExpectedBlob & Pick<BlobInfo, 'digest'>) | undefined,
  signal: AbortSignal | undefined,
): Promise<BlobInfo> {
  // What checks itself, as downloads do, is hashed already.
  const checks = expected !== undefined && isSelfVerifying(data, expected.digest)
  const digester = checks ? undefined : new Digester(expected ? digestAlgorithm(expected.digest) : 'sha256')
  let size = 0
  for await (const chunk of data) {
    throwIfAborted(signal)
    digester?.update(chunk)
    size += chunk.length
    if (expected?.size !== undefined && size > expected.size)
      throw storeErrors.blobMismatch([`${expected.size} bytes`, 'more'])
    for (let at = 0; at < chunk.length; ) at += (await handle.write(chunk, at)).bytesWritten
  }
  if (expected?.size !== undefined && size !== expected.size)
    throw storeErrors.blobMismatch([`${expected.size} bytes`, `${size} bytes`])
  const digest = digester?.digest() ?? expected!.digest
  if (expected && digest !== expected.digest) throw storeErrors.blobMismatch([expected.digest, digest])
  return { digest, size }
}

/** Makes a file or the names in a directory durable. */
export async function syncPath(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

function checked(digest: string): Digest {
  if (!isDigest(digest)) throw storeErrors.digestInvalid([String(digest)])
  return digest
}

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT') return undefined
  throw error
}
