/** Errors of lock files. */
import { defineError } from '../errors.ts'

export const lockErrors = {
  lockInvalid: defineError({
    code: 'LOCK_INVALID',
    doc: 'A line of the lock file is no entry, or contradicts another one, as after a merge.',
    message: (problem: string) => `the lock file cannot be used: ${problem}`,
    hint: 'keep the lines that are right, delete the others, and run `tsbuild lock`',
  }),
  lockMissing: defineError({
    code: 'LOCK_MISSING',
    doc: '--locked was given, and there is no lock file.',
    message: (path: string) => `there is no lock file ${path}, which --locked needs`,
    hint: (path: string) => `make one with \`${lockCommand(path)}\``,
  }),
  lockIncomplete: defineError({
    code: 'LOCK_INCOMPLETE',
    doc: 'A base image, URL or git ref of the Dockerfile is not in the lock file, and --locked forbids to use it. --locked is the default where $CI is set.',
    message: (source: string, path: string) => `${source} is not locked: ${path} has no entry for it`,
    hint: (_source: string, path: string) =>
      `run \`${lockCommand(path)}\` and commit what it changes; --locked=false builds without it`,
  }),
  lockName: defineError({
    code: 'LOCK_NAME_UNKNOWN',
    doc: 'What is to be renewed in the lock file is no source that the Dockerfile can reach.',
    message: (name: string, _known: readonly string[]) =>
      `nothing that the Dockerfile uses is called ${JSON.stringify(name)}`,
    hint: (_name: string, known: readonly string[]) => `there are ${known.join(', ') || 'no sources'}`,
  }),
  lockNowhere: defineError({
    code: 'LOCK_NOWHERE',
    doc: 'The Dockerfile is no file of this machine, so that a lock file has no place beside it.',
    message: () => 'the Dockerfile is no file of this machine: there is no place for a lock file beside it',
    hint: 'name one with --lock-file',
  }),
}

/** What is to be run, from the directory of the lock file. */
function lockCommand(path: string): string {
  const name = path.slice(path.lastIndexOf('/') + 1)
  if (name === 'tsbuild.lock') return 'tsbuild lock'
  return name.endsWith('.lock')
    ? `tsbuild lock -f ${name.slice(0, -'.lock'.length)}`
    : `tsbuild lock --lock-file ${name}`
}
