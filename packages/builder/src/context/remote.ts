/**
 * Contexts that are not a directory of the caller's: an archive or a Dockerfile on standard input or at a URL, and git
 * repositories. They are put into a directory that belongs to the build.
 *
 * As in the reference, ignore files do not apply to them, and archives keep their owners.
 */
import { chmodSync, lutimesSync, mkdirSync, utimesSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { BuildError, throwIfAborted } from '../errors.ts'
import { parseGitUrl } from '../util/git-url.ts'
import { fsPath } from '../util/raw-path.ts'
import { ARCHIVE_HEAD, type ArchiveEntry, looksLikeArchive, type ReadArchive } from './archive.ts'
import { contextErrors } from './errors.ts'
import { fetchGit, type GitAccess } from './git.ts'
import { type Downloader, fetchHttp } from './http.ts'
import { type LocalTree, type NodeAttributes, openLocalContext } from './local.ts'
import { unpackEntries } from './unpack.ts'

export interface RemoteServices {
  /** An empty private directory; deleted by the caller after the build. */
  readonly directory: string
  /** What `-` reads. */
  readonly stdin?: AsyncIterable<Uint8Array | string> | undefined
  readonly readArchive: ReadArchive
  /** The caller's environment, for git: PATH, proxies. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** What git may use to prove who one is. */
  readonly access?: GitAccess | undefined
  /** Git repositories keep their metadata where their URL does not say. */
  readonly keepGitDir?: boolean | undefined
  /** What a lock file says of it: the commit of a repository, the checksum of a download. */
  readonly pin?: string | undefined
  readonly client: Downloader
  readonly signal: AbortSignal
}

/** A context that was fetched. */
export interface RemoteContext {
  /** Its root. */
  readonly directory: string
  /** The Dockerfile, if the context was nothing but one. */
  readonly dockerfile?: string
  /** What the file system could not keep; for {@link openLocalContext}. */
  readonly attributes?: ReadonlyMap<string, NodeAttributes>
  /** When it was made, seconds: of a commit, of the newest file of an archive, or Last-Modified. */
  readonly time?: number
}

const MAX_DOCKERFILE = 64 * 1024 * 1024

/** Whether a context is to be fetched with {@link fetchContext}, and is not a directory. */
export function isRemoteContext(context: string): boolean {
  return context === '-' || /^https?:\/\//.test(context) || parseGitUrl(context, true) !== undefined
}

/**
 * Fetches a context for which {@link isRemoteContext} holds.
 *
 * @throws BuildError of git, http and archives; STDIN_MISSING
 */
export async function fetchContext(context: string, services: RemoteServices): Promise<RemoteContext> {
  const { directory, stdin, signal, env, access, keepGitDir, pin } = services
  const root = join(directory, 'context')
  if (context === '-') {
    if (stdin === undefined) throw contextErrors.stdinMissing([])
    mkdirSync(root)
    return await fromStream(toBytes(stdin), root, services)
  }
  const git = parseGitUrl(context, true)
  if (git !== undefined) {
    const { remote, ...spec } = git
    const wanted = { url: remote, ...spec, commit: pin, keepGitDir: spec.keepGitDir ?? keepGitDir }
    const checkout = await fetchGit(wanted, root, { signal, env, access })
    return { directory: checkout.directory, time: checkout.time }
  }
  mkdirSync(root)
  const path = join(directory, 'download')
  const download = await fetchHttp(context, {
    signal,
    client: services.client,
    checksum: pin,
    async sink(body) {
      await using file = await open(path, 'wx', 0o600)
      for await (const chunk of body) await file.appendFile(chunk)
    },
  })
  await using file = await open(path)
  const fetched = await fromStream(file.createReadStream({ autoClose: false }), root, services)
  const mtime = download.kind === 'downloaded' && download.mtime > 0 ? download.mtime : undefined
  const time = fetched.time ?? mtime
  return { ...fetched, ...(time !== undefined && { time }) }
}

/** Opens a fetched context. */
export function openRemoteContext({ directory, attributes }: RemoteContext): LocalTree {
  return openLocalContext(directory, { attributes })
}

async function* toBytes(stream: AsyncIterable<Uint8Array | string>): AsyncGenerator<Uint8Array> {
  for await (const chunk of stream) yield typeof chunk === 'string' ? Buffer.from(chunk) : chunk
}

/** An archive is unpacked; anything else is a Dockerfile. */
async function fromStream(
  stream: AsyncIterable<Uint8Array>,
  root: string,
  services: RemoteServices,
): Promise<RemoteContext> {
  const iterator = stream[Symbol.asyncIterator]()
  let head = Buffer.alloc(0)
  let ended = false
  while (!ended && head.length < ARCHIVE_HEAD) {
    const next = await iterator.next()
    if (next.done === true) ended = true
    else head = Buffer.concat([head, next.value])
  }
  async function* whole(): AsyncGenerator<Uint8Array> {
    try {
      if (head.length > 0) yield head
      for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) yield next.value
    } finally {
      await iterator.return?.()
    }
  }
  throwIfAborted(services.signal)
  if (looksLikeArchive(head))
    return await unpackContext(services.readArchive(whole(), services.signal), root, services.signal)
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of whole()) {
    size += chunk.length
    if (size > MAX_DOCKERFILE) throw contextErrors.dockerfileUnreadable(['Dockerfile', 'it is larger than 64 MiB'])
    chunks.push(chunk)
  }
  return { directory: root, dockerfile: Buffer.concat(chunks).toString('utf8') }
}

async function unpackContext(
  entries: AsyncIterable<ArchiveEntry>,
  root: string,
  signal: AbortSignal,
): Promise<RemoteContext> {
  const attributes = new Map<string, NodeAttributes>()
  let newest: number | undefined
  const inTree = (path: string) => path.slice(root.length + 1)
  const policy = {
    parent(path: string) {
      attributes.set(inTree(path), { mode: 0o755, uid: 0, gid: 0 })
      chmodSync(fsPath(path), 0o755)
    },
    written(path: string, entry: ArchiveEntry, isSymlink: boolean) {
      const mode = isSymlink ? 0o777 : entry.mode
      attributes.set(inTree(path), { mode, uid: entry.uid, gid: entry.gid })
      if (entry.type === 'file') newest = Math.max(newest ?? 0, Math.floor(entry.mtime))
      // Readable for whoever builds; set-id bits are only told.
      const own = entry.type === 'directory' ? 0o700 : 0o600
      if (!isSymlink) chmodSync(fsPath(path), (mode & 0o777) | own)
      if (isSymlink) lutimesSync(fsPath(path), entry.mtime, entry.mtime)
      else if (entry.type === 'file') utimesSync(fsPath(path), entry.mtime, entry.mtime)
    },
    directoryDone: (path: string, entry: ArchiveEntry) => utimesSync(fsPath(path), entry.mtime, entry.mtime),
  }
  try {
    await unpackEntries(entries, root, policy, signal)
  } catch (error) {
    throwIfAborted(signal)
    if (error instanceof BuildError) throw error
    throw contextErrors.archive([(error as Error).message], { cause: error })
  }
  return { directory: root, attributes, ...(newest !== undefined && { time: newest }) }
}
