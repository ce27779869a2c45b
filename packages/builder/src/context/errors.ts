/** Errors of reading build contexts. Words follow the reference where it has them. */
import { defineError } from '../errors.ts'

export const contextErrors = {
  contextNotFound: defineError({
    code: 'CONTEXT_NOT_FOUND',
    doc: 'The directory given as build context, or as a named context, does not exist.',
    message: (path: string) => `unable to prepare context: path ${JSON.stringify(path)} not found`,
    hint: 'give an existing directory, `-`, or the URL of a git repository or tarball',
  }),
  contextNotDirectory: defineError({
    code: 'CONTEXT_NOT_DIRECTORY',
    doc: 'The build context is a file. A context is a directory; a single Dockerfile is named with -f.',
    message: (path: string) => `unable to prepare context: path ${JSON.stringify(path)} is not a directory`,
    hint: 'name a directory; use -f for the Dockerfile',
  }),
  unreadable: defineError({
    code: 'CONTEXT_UNREADABLE',
    doc: 'A file or directory of the build context cannot be read by the user who builds.',
    message: (path: string, reason: string) => `cannot read /${path} of the build context: ${reason}`,
    hint: 'make it readable, or exclude it in .dockerignore',
  }),
  changed: defineError({
    code: 'CONTEXT_CHANGED',
    doc: 'A file was written, replaced or deleted between the moment its digest was taken and the moment it was copied.',
    message: (path: string) => `/${path} changed during the build`,
    hint: 'build again once nothing writes to the build context any more',
  }),
  badIgnore: defineError({
    code: 'DOCKERIGNORE_INVALID',
    doc: 'A line of .dockerignore is not a valid pattern.',
    message: (reason: string) => reason,
    hint: 'escape the special characters with a backslash, or remove the line',
  }),
  dockerfileNotFound: defineError({
    code: 'DOCKERFILE_NOT_FOUND',
    doc: 'There is no Dockerfile where one was looked for: in the root of the build context, or at the path given with -f.',
    message: (name: string) => `failed to read dockerfile: open ${name}: no such file or directory`,
    hint: 'name the Dockerfile with -f; a relative path counts from the current directory',
  }),
  dockerfileUnreadable: defineError({
    code: 'DOCKERFILE_UNREADABLE',
    doc: 'The Dockerfile, or an ignore file, is no regular file, is too large or cannot be read.',
    message: (name: string, reason: string) => `failed to read dockerfile: open ${name}: ${reason}`,
  }),
  lockUnreadable: defineError({
    code: 'LOCK_UNREADABLE',
    doc: 'The lock file is no regular file, is too large or cannot be read.',
    message: (name: string, reason: string) => `failed to read lock file: open ${name}: ${reason}`,
    hint: '--no-lock builds without it',
  }),
  stdinMissing: defineError({
    code: 'STDIN_MISSING',
    doc: 'The context or Dockerfile is `-`, but the caller passed no input to read.',
    message: () => 'nothing to read from standard input',
  }),
  archive: defineError({
    code: 'CONTEXT_ARCHIVE_INVALID',
    doc: 'The archive given as build context is damaged, or holds an entry that cannot be unpacked safely.',
    message: (reason: string) => `cannot unpack the build context: ${reason}`,
  }),
  httpStatus: defineError({
    code: 'HTTP_STATUS',
    doc: 'A server answered a download (ADD of a URL, a context URL) with something else than the file.',
    message: (url: string, status: number) => `failed to load ${url}: invalid response status ${status}`,
  }),
  httpFailed: defineError({
    code: 'HTTP_FAILED',
    doc: 'A download failed: the server cannot be reached, closed the connection early, sent too much or redirected too often.',
    message: (url: string, reason: string) => `failed to load ${url}: ${reason}`,
  }),
  digestMismatch: defineError({
    code: 'CHECKSUM_MISMATCH',
    doc: 'A download or checkout is not what --checksum or the lock file says.',
    message: (what: string, actual: string, expected: string) =>
      `digest mismatch for ${what}: ${actual} (expected: ${expected})`,
    hint: 'check the source; if it was meant to change, update the checksum, or the lock file with `tsbuild lock --update`',
  }),
  badChecksum: defineError({
    code: 'CHECKSUM_INVALID',
    doc: 'The value of --checksum is no digest such as sha256:… with the right number of hexadecimal digits.',
    message: (checksum: string, reason: string) => `invalid checksum ${JSON.stringify(checksum)}: ${reason}`,
    hint: 'write sha256: and 64 hexadecimal digits in lower case',
  }),
  gitMissing: defineError({
    code: 'GIT_MISSING',
    doc: 'A git repository is to be fetched, but the git command is not installed.',
    message: () => 'failed to find git: the command is not installed',
    hint: 'install git on the machine that builds',
  }),
  gitFailed: defineError({
    code: 'GIT_FAILED',
    doc: 'The git command failed: unknown repository or ref, no access, no network.',
    message: (url: string, reason: string) => `failed to fetch ${url}: ${reason}`,
  }),
  gitSshMissing: defineError({
    code: 'GIT_SSH_MISSING',
    doc: 'A git repository is to be fetched over ssh, and no agent or key was offered with --ssh.',
    message: () => 'no SSH key "default" forwarded from the client',
    hint: '--ssh default offers the agent at $SSH_AUTH_SOCK, --ssh default=FILE a private key',
  }),
  gitHostUnknown: defineError({
    code: 'GIT_HOST_UNKNOWN',
    doc: 'The key of an ssh server is not among the known ones, or is another one than the known one.',
    message: (url: string, reason: string) => `failed to fetch ${url}: ${reason}`,
    hint: 'compare what `ssh-keyscan HOST` prints with what the host publishes, and name a file that has it: --ssh-known-hosts FILE (default ~/.ssh/known_hosts and /etc/ssh/ssh_known_hosts)',
  }),
  gitAuthInvalid: defineError({
    code: 'GIT_AUTH_INVALID',
    doc: 'A password or token for a git repository has a line break or a NUL in it.',
    message: (what: string) => `${what} is not one line of text`,
  }),
  gitRefNotFound: defineError({
    code: 'GIT_REF_NOT_FOUND',
    doc: 'The repository has no branch, tag or commit of that name.',
    message: (url: string, ref: string) => `repository ${url} does not contain ref ${JSON.stringify(ref)}`,
  }),
  gitSubdirNotFound: defineError({
    code: 'GIT_SUBDIR_NOT_FOUND',
    doc: 'The directory named behind the ref of a git URL does not exist in the repository.',
    message: (url: string, subdir: string) => `repository ${url} has no directory ${JSON.stringify(subdir)}`,
  }),
} as const
