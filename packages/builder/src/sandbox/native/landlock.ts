/** What Landlock can take from a process that has no namespaces. */
import { addressOf, raw } from './libc.ts'

/** The same on all machines. */
const CREATE_RULESET = 444
const RESTRICT_SELF = 446
const SCOPE_ABSTRACT_UNIX_SOCKET = 1n
const SCOPE_SIGNAL = 2n

/**
 * Takes signals to all processes but those that this one will start, connections to their abstract sockets, and looking
 * into them. Does nothing where the kernel cannot do it (before Linux 6.12, or without Landlock).
 *
 * Needs CAP_SYS_ADMIN or no_new_privs.
 */
export function keepToOneself(): void {
  // struct landlock_ruleset_attr: accesses to files and ports that are handled (none), scopes.
  const attributes = Buffer.alloc(24)
  attributes.writeBigUInt64LE(SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL, 16)
  const ruleset = raw.syscall(CREATE_RULESET, addressOf(attributes), attributes.length, 0, 0, 0, 0)
  if (ruleset < 0) return
  // What else is open is closed before the program is executed, this too.
  raw.syscall(RESTRICT_SELF, ruleset, 0, 0, 0, 0, 0)
}
