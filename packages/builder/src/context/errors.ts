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
} as const
