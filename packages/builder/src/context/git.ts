/** Git repositories as contexts and as sources of ADD. */
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { hasCode } from '../util/has-code.ts'
import { resolveInRoot } from '../util/inroot.ts'
import { makeDirectorySync } from '../util/make-directory.ts'
import { fsPath, readDirectory } from '../util/raw-path.ts'
import { contextErrors } from './errors.ts'
import { type GitOptions, git } from './git-command.ts'
import { type GitAccess, type GitRemote, openGitRemote, withoutCredentials } from './git-remote.ts'

export type { GitAccess }

/** What fetching needs beside the name of what is wanted. */
export interface FetchOptions extends Omit<GitOptions, 'remote' | 'cwd'> {
  /** What may be used to prove who one is; nothing by default but what the URL says. */
  readonly access?: GitAccess | undefined
}

/** {@link GitOptions} of an opened repository. */
interface OpenOptions extends GitOptions {
  readonly remote: GitRemote
}

/** What of a repository is wanted; refs and urls as util/git-url.ts gives them. */
export interface GitSpec {
  readonly url: string
  /** Branch, tag, full ref name or commit; undefined for the default branch. */
  readonly ref?: string | undefined
  readonly subdir?: string | undefined
  /** Commit, or the beginning of its hash, that must be found. */
  readonly checksum?: string | undefined
  /** Full hash of the commit that is taken, wherever the ref leads by now. */
  readonly commit?: string | undefined
  readonly keepGitDir?: boolean | undefined
  /** Default: true. */
  readonly submodules?: boolean | undefined
}

/** Where a ref leads to. */
export interface GitCommit {
  /** Hash of the commit. */
  readonly commit: string
  /** Full name of the ref; the hash itself if a commit was named. */
  readonly ref: string
}

const HASH = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/

/**
 * Finds the commit that is wanted without fetching it: what a cache key is made of.
 *
 * @throws BuildError GIT_REF_NOT_FOUND, GIT_FAILED, GIT_MISSING, CHECKSUM_MISMATCH, and those of opening a repository
 */
export async function resolveGit(spec: GitSpec, { access, ...options }: FetchOptions): Promise<GitCommit> {
  await using remote = await openGitRemote(spec.url, access, options.signal)
  return await resolve(spec, { ...options, remote })
}

async function resolve({ ref = 'HEAD', checksum, commit }: GitSpec, options: OpenOptions): Promise<GitCommit> {
  if (commit !== undefined) {
    const now = HASH.test(ref) ? undefined : await findRef(ref, options).catch(notFound)
    return now?.commit === commit ? now : { commit, ref: commit }
  }
  const found = HASH.test(ref) ? { commit: ref, ref } : await findRef(ref, options)
  if (checksum === undefined || (checksum.length >= 7 && found.commit.startsWith(checksum))) return found
  throw contextErrors.digestMismatch([options.remote.shown, found.commit, checksum])
}

/** A ref that is gone is no harm to who knows its commit. */
function notFound(error: unknown): undefined {
  if (!hasCode(error, 'GIT_REF_NOT_FOUND')) throw error
}

async function findRef(ref: string, options: OpenOptions): Promise<GitCommit> {
  const { url, shown } = options.remote
  const names = ref === 'HEAD' || ref.startsWith('refs/') ? [ref] : [`refs/heads/${ref}`, `refs/tags/${ref}`, ref]
  // A tag is followed by the commit it stands for: `refs/tags/v1^{}`.
  const listed = await run(['ls-remote', '--', url, ...names, ...names.map((name) => `${name}^{}`)], options)
  const hashes = new Map(
    listed.split('\n').map((line) => [line.slice(line.indexOf('\t') + 1), line.slice(0, line.indexOf('\t'))]),
  )
  for (const name of names) {
    const commit = hashes.get(`${name}^{}`) ?? hashes.get(name)
    if (commit !== undefined && HASH.test(commit)) return { commit, ref: name }
  }
  // The beginning of a commit's hash: only a full fetch can tell.
  if (/^[0-9a-f]{7,63}$/.test(ref)) return { commit: ref, ref }
  throw contextErrors.gitRefNotFound([shown, ref])
}

/**
 * Fetches a commit into an empty directory. Nothing in it is secret, nor is anything in an error: see git-remote.ts.
 *
 * @param directory is made; belongs to the caller, also if this rejects
 * @returns the directory that is wanted (`directory` or the subdirectory of the spec), the commit and its time, seconds
 * @throws BuildError as {@link resolveGit}, GIT_SUBDIR_NOT_FOUND
 */
export async function fetchGit(
  spec: GitSpec,
  directory: string,
  { access, ...options }: FetchOptions,
): Promise<{ readonly directory: string; readonly commit: string; readonly time: number }> {
  await using remote = await openGitRemote(spec.url, access, options.signal)
  const here: OpenOptions = { ...options, remote, cwd: directory }
  makeDirectorySync(directory)
  const wanted = await resolve(spec, here)
  await run(['init', '--quiet', '--', directory], here)
  await run(['remote', 'add', '--', 'origin', remote.url], here)
  let commit = await fetchCommit(spec, wanted, here)
  if (spec.commit !== undefined && commit !== spec.commit) {
    // The ref has moved since it was looked up.
    commit = await fetchCommit(spec, { commit: spec.commit, ref: spec.commit }, here)
  }
  if (spec.checksum !== undefined && !commit.startsWith(spec.checksum)) {
    throw contextErrors.digestMismatch([remote.shown, commit, spec.checksum])
  }
  await run(['checkout', '--quiet', '--force', '--detach', commit], here)
  if (spec.submodules !== false) {
    await run(['submodule', 'update', '--quiet', '--init', '--recursive', '--checkout', '--depth=1'], here)
  }
  const time = Number(await run(['show', '--no-patch', '--format=%ct', commit, '--'], here))
  if (spec.keepGitDir === true) forgetFetching(`${directory}/.git`)
  else removeGitDirectories(directory)
  const subdir = resolveInRoot(directory, spec.subdir ?? '')
  if (statSync(subdir, { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw contextErrors.gitSubdirNotFound([remote.shown, spec.subdir ?? ''])
  }
  return { directory: subdir, commit, time }
}

/** Fetches as little as the server allows. */
async function fetchCommit({ ref }: GitSpec, wanted: GitCommit, here: OpenOptions): Promise<string> {
  const fetch = ['fetch', '--quiet', '--no-tags', '--force', '--update-head-ok']
  const isRef = wanted.ref.startsWith('refs/') || wanted.ref === 'HEAD'
  const refspec = wanted.ref.startsWith('refs/') ? [`${wanted.ref}:${wanted.ref}`] : [wanted.ref]
  if (isRef || HASH.test(wanted.commit)) {
    const shallow = await git([...fetch, '--depth=1', '--', 'origin', ...refspec], here)
    if (shallow.code === 0) return await commitOf(isRef ? 'FETCH_HEAD' : wanted.commit, ref, here)
  }
  // Commits that no ref names are refused by many servers: everything is needed then.
  await run([...fetch, '--', 'origin', '+refs/heads/*:refs/remotes/origin/*', '+refs/tags/*:refs/tags/*'], here)
  return await commitOf(wanted.commit, ref, here)
}

async function commitOf(name: string, ref: string | undefined, here: OpenOptions): Promise<string> {
  const parsed = await git(['rev-parse', '--quiet', '--verify', '--end-of-options', `${name}^{commit}`], here)
  const commit = parsed.stdout.trim()
  if (parsed.code !== 0 || !HASH.test(commit)) throw contextErrors.gitRefNotFound([here.remote.shown, ref ?? 'HEAD'])
  return commit
}

async function run(args: readonly string[], options: OpenOptions): Promise<string> {
  const { code, stdout, stderr } = await git(args, options)
  if (code === 0) return stdout
  const { shown, redact } = options.remote
  const reason = saidBy(redact(stderr)) || `git ended with status ${code}`
  if (/Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED/.test(stderr)) {
    const changed = stderr.includes('REMOTE HOST IDENTIFICATION HAS CHANGED')
    throw contextErrors.gitHostUnknown([shown, changed ? 'the key of the host is not the known one' : reason])
  }
  const refused = /Permission denied \(publickey/.test(stderr)
  throw contextErrors.gitFailed([shown, reason], {
    ...(refused && { hint: 'the server takes none of the keys that --ssh offers' }),
  })
}

/** The last that git said. What a terminal would show of a line is what stands behind its last carriage return. */
function saidBy(stderr: string): string {
  const lines = stderr.split('\n').map((line) => line.trimEnd().replace(/^.*\r/s, ''))
  return lines
    .filter((line) => line !== '')
    .slice(-5)
    .join('; ')
}

/** The repository's own and those of its submodules. */
function removeGitDirectories(directory: string): void {
  for (const entry of readDirectory(directory)) {
    const path = `${directory}/${entry.name}`
    if (entry.name === '.git') rmSync(fsPath(path), { recursive: true, force: true })
    else if (entry.isDirectory()) removeGitDirectories(path)
  }
}

/** Of what tells how a repository and its submodules were fetched, only the clean URLs of their remotes stay. */
function forgetFetching(directory: string): void {
  for (const entry of readDirectory(directory)) {
    const path = `${directory}/${entry.name}`
    if (entry.name === 'FETCH_HEAD' || entry.name === 'ORIG_HEAD' || entry.name === 'logs')
      rmSync(fsPath(path), { recursive: true, force: true })
    // Names of refs and objects are never looked into.
    else if (entry.isDirectory()) entry.name === 'objects' || entry.name === 'refs' || forgetFetching(path)
    else if (entry.isFile() && /^config(?:\.worktree)?$/.test(entry.name)) cleanConfig(path)
  }
}

/** A repository may name submodules by URLs with credentials, which git writes down. */
function cleanConfig(path: string): void {
  const text = readFileSync(fsPath(path), 'latin1')
  const clean = text.replace(
    /^(\s*(?:push)?url\s*=\s*"?)(.*)$/gim,
    (_, key: string, url: string) => key + withoutCredentials(url),
  )
  if (clean !== text) writeFileSync(fsPath(path), clean, 'latin1')
}
