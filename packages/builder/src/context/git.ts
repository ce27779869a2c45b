/** Git repositories as contexts and as sources of ADD. */
import { mkdirSync, rmSync, statSync } from 'node:fs'
import { redactUrl } from '../util/git-url.ts'
import { resolveInRoot } from '../util/inroot.ts'
import { readDirectory } from '../util/raw-path.ts'
import { contextErrors } from './errors.ts'
import { type GitOptions, git } from './git-command.ts'

/** What of a repository is wanted; refs and urls as util/git-url.ts gives them. */
export interface GitSpec {
  readonly url: string
  /** Branch, tag, full ref name or commit; undefined for the default branch. */
  readonly ref?: string | undefined
  readonly subdir?: string | undefined
  /** Commit, or the beginning of its hash, that must be found. */
  readonly checksum?: string | undefined
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
 * @throws BuildError GIT_REF_NOT_FOUND, GIT_FAILED, GIT_MISSING, CHECKSUM_MISMATCH
 */
export async function resolveGit(spec: GitSpec, options: GitOptions): Promise<GitCommit> {
  const { url, ref = 'HEAD', checksum } = spec
  const found = HASH.test(ref) ? { commit: ref, ref } : await findRef(url, ref, options)
  if (checksum === undefined || (checksum.length >= 7 && found.commit.startsWith(checksum))) return found
  throw contextErrors.digestMismatch([redactUrl(url), found.commit, checksum])
}

async function findRef(url: string, ref: string, options: GitOptions): Promise<GitCommit> {
  const names = ref === 'HEAD' || ref.startsWith('refs/') ? [ref] : [`refs/heads/${ref}`, `refs/tags/${ref}`, ref]
  // A tag is followed by the commit it stands for: `refs/tags/v1^{}`.
  const listed = await run(url, ['ls-remote', '--', url, ...names, ...names.map((name) => `${name}^{}`)], options)
  const hashes = new Map(
    listed.split('\n').map((line) => [line.slice(line.indexOf('\t') + 1), line.slice(0, line.indexOf('\t'))]),
  )
  for (const name of names) {
    const commit = hashes.get(`${name}^{}`) ?? hashes.get(name)
    if (commit !== undefined && HASH.test(commit)) return { commit, ref: name }
  }
  // The beginning of a commit's hash: only a full fetch can tell.
  if (/^[0-9a-f]{7,63}$/.test(ref)) return { commit: ref, ref }
  throw contextErrors.gitRefNotFound([redactUrl(url), ref])
}

/**
 * Fetches a commit into an empty directory.
 *
 * @param directory is made; belongs to the caller, also if this rejects
 * @returns the directory that is wanted (`directory` or the subdirectory of the spec), the commit and its time, seconds
 * @throws BuildError as {@link resolveGit}, GIT_SUBDIR_NOT_FOUND
 */
export async function fetchGit(
  spec: GitSpec,
  directory: string,
  options: GitOptions,
): Promise<{ readonly directory: string; readonly commit: string; readonly time: number }> {
  const wanted = await resolveGit(spec, options)
  mkdirSync(directory, { recursive: true })
  const here = { ...options, cwd: directory }
  const { url } = spec
  await run(url, ['init', '--quiet', '--', directory], here)
  await run(url, ['remote', 'add', '--', 'origin', url], here)
  const commit = await fetchCommit(spec, wanted, here)
  if (spec.checksum !== undefined && !commit.startsWith(spec.checksum)) {
    throw contextErrors.digestMismatch([redactUrl(url), commit, spec.checksum])
  }
  await run(url, ['checkout', '--quiet', '--force', '--detach', commit], here)
  if (spec.submodules !== false) {
    const update = ['submodule', 'update', '--quiet', '--init', '--recursive', '--checkout', '--depth=1']
    await run(url, update, here)
  }
  const time = Number(await run(url, ['show', '--no-patch', '--format=%ct', commit, '--'], here))
  // Credentials of the URL must not get into an image.
  if (spec.keepGitDir === true) await run(url, ['remote', 'set-url', '--', 'origin', withoutUser(url)], here)
  else removeGitDirectories(directory)
  const subdir = resolveInRoot(directory, spec.subdir ?? '')
  if (statSync(subdir, { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw contextErrors.gitSubdirNotFound([redactUrl(url), spec.subdir ?? ''])
  }
  return { directory: subdir, commit, time }
}

/** Fetches as little as the server allows. */
async function fetchCommit({ url, ref }: GitSpec, wanted: GitCommit, here: GitOptions): Promise<string> {
  const fetch = ['fetch', '--quiet', '--no-tags', '--force', '--update-head-ok']
  const isRef = wanted.ref.startsWith('refs/') || wanted.ref === 'HEAD'
  const refspec = wanted.ref.startsWith('refs/') ? [`${wanted.ref}:${wanted.ref}`] : [wanted.ref]
  if (isRef || HASH.test(wanted.commit)) {
    const shallow = await git([...fetch, '--depth=1', '--', 'origin', ...refspec], here)
    if (shallow.code === 0) return await commitOf(url, isRef ? 'FETCH_HEAD' : wanted.commit, ref, here)
  }
  // Commits that no ref names are refused by many servers: everything is needed then.
  await run(url, [...fetch, '--', 'origin', '+refs/heads/*:refs/remotes/origin/*', '+refs/tags/*:refs/tags/*'], here)
  return await commitOf(url, wanted.commit, ref, here)
}

async function commitOf(url: string, name: string, ref: string | undefined, here: GitOptions): Promise<string> {
  const parsed = await git(['rev-parse', '--quiet', '--verify', '--end-of-options', `${name}^{commit}`], here)
  const commit = parsed.stdout.trim()
  if (parsed.code !== 0 || !HASH.test(commit)) throw contextErrors.gitRefNotFound([redactUrl(url), ref ?? 'HEAD'])
  return commit
}

async function run(url: string, args: readonly string[], options: GitOptions): Promise<string> {
  const { code, stdout, stderr } = await git(args, options)
  if (code === 0) return stdout
  throw contextErrors.gitFailed([redactUrl(url), saidBy(stderr, url) || `git ended with status ${code}`])
}

/** The last that git said. What a terminal would show of a line is what stands behind its last carriage return. */
function saidBy(stderr: string, url: string): string {
  const lines = stderr
    .replaceAll(url, redactUrl(url))
    .split('\n')
    .map((line) => line.trimEnd().replace(/^.*\r/s, ''))
  return lines
    .filter((line) => line !== '')
    .slice(-5)
    .join('; ')
}

function withoutUser(url: string): string {
  return url.replace(/^(https?:\/\/)[^/@]*@/, '$1')
}

/** The repository's own and those of its submodules. */
function removeGitDirectories(directory: string): void {
  for (const entry of readDirectory(directory)) {
    const path = `${directory}/${entry.name}`
    if (entry.name === '.git') rmSync(path, { recursive: true, force: true })
    else if (entry.isDirectory()) removeGitDirectories(path)
  }
}
