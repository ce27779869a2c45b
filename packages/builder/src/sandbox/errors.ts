/** Errors of the sandbox: what keeps a process from being started, and what keeps the worker from working. */
import { BuildError, defineError } from '../errors.ts'

export const sandboxErrors = {
  /** The words are the reference's: `exec: "foo": executable file not found in $PATH`. */
  execFailed: defineError({
    code: 'RUN_EXEC_FAILED',
    doc: 'The program of a RUN could not be started: it does not exist in the root filesystem, is not executable, or needs an interpreter that is missing. A shell-form RUN needs /bin/sh.',
    message: (reason: string) => `unable to start container process: ${reason}`,
  }),
  setupFailed: defineError({
    code: 'RUN_SETUP_FAILED',
    doc: 'The root filesystem, mounts, limits or user of a RUN could not be set up.',
    message: (what: string) => `unable to prepare container process: ${what}`,
  }),
  userNotMapped: defineError({
    code: 'RUN_USER_NOT_MAPPED',
    doc: 'A RUN asked for a user or group id, for itself or for a mount, that the user namespace does not have.',
    message: (ids: string) => `${ids} has no counterpart in the user namespace of this build`,
    hint: 'give your user a range of at least 65536 ids in /etc/subuid and /etc/subgid and install newuidmap and newgidmap',
  }),
  unknownUser: defineError({
    code: 'RUN_UNKNOWN_USER',
    doc: 'USER or --chown names a user that the image does not have.',
    message: (user: string) => `unable to find user ${user}: no matching entries in passwd file`,
  }),
  unknownGroup: defineError({
    code: 'RUN_UNKNOWN_GROUP',
    doc: 'USER or --chown names a group that the image does not have.',
    message: (group: string) => `unable to find group ${group}: no matching entries in group file`,
  }),
  badUser: defineError({
    code: 'RUN_BAD_USER',
    doc: 'The ids of USER or --chown are out of range, or the files they are looked up in cannot be read.',
    message: (why: string) => why,
  }),
  badHost: defineError({
    code: 'RUN_BAD_HOST',
    doc: 'A host name, address or name server is not well-formed.',
    message: (what: string) => what,
  }),
  workerStart: defineError({
    code: 'WORKER_START_FAILED',
    doc: 'The helper process that touches root filesystems could not be started.',
    message: (why: string) => `cannot start the worker: ${why}`,
    hint: '`tsbuild doctor` shows what this machine allows',
  }),
  workerDied: defineError({
    code: 'WORKER_DIED',
    doc: 'The helper process that touches root filesystems ended while it was working.',
    message: (how: string) => `the worker ended unexpectedly (${how})`,
  }),
  operationFailed: defineError({
    code: 'WORKER_OPERATION_FAILED',
    doc: 'Work on a root filesystem failed in a way that has no code of its own, such as an unexpected error of the file system.',
    message: (what: string) => what,
  }),
  isolationUnavailable: defineError({
    code: 'ISOLATION_UNAVAILABLE',
    doc: 'The kind of isolation that was asked for, or any at all, is not possible on this machine.',
    message: (why: string) => `cannot run commands in isolation: ${why}`,
    hint: '`tsbuild doctor` shows what this machine allows and how to raise it',
  }),
  executorFailed: defineError({
    code: 'EXECUTOR_FAILED',
    doc: 'The helper process or OCI runtime that starts RUN processes failed.',
    message: (why: string) => `cannot run the process: ${why}`,
  }),
  limitUnavailable: defineError({
    code: 'LIMIT_UNAVAILABLE',
    doc: 'A resource limit or control group was asked for that cannot be had on this machine: no control group is writable and no process limit does the same.',
    message: (what: string) => `cannot ${what}: no writable control group`,
    hint: 'run as root, or in a session with delegated cgroup v2 controllers (systemd-run --user --scope -p Delegate=yes)',
  }),
  badLimit: defineError({
    code: 'BAD_LIMIT',
    doc: 'A ulimit has an unknown name or values that contradict each other, or the machine does not permit it; or the kernel does not take the value of a resource limit.',
    message: (what: string) => what,
  }),
  sshUnavailable: defineError({
    code: 'SSH_UNAVAILABLE',
    doc: 'An SSH agent or key for RUN --mount=type=ssh could not be used.',
    message: (why: string) => why,
  }),
} as const

/** Whether the program of a process could not be started, while everything around it could. */
export function isExecFailure(error: unknown): error is BuildError {
  return error instanceof BuildError && error.code === sandboxErrors.execFailed.definition.code
}
