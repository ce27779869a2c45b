/** Loads a BPF program as the system call filter of this process. */
import { addressOf, check, raw } from '../native/libc.ts'

const PR_SET_SECCOMP = 22
const SECCOMP_MODE_FILTER = 2
const INSTRUCTION = 8

/** Needs CAP_SYS_ADMIN in the process's user namespace, else no_new_privs. The filter holds for all that is exec'd. */
export function loadFilter(program: Uint8Array): void {
  const header = Buffer.alloc(64)
  header.writeUInt16LE(program.length / INSTRUCTION, 0)
  header.writeBigUInt64LE(addressOf(program), 8)
  check(raw.prctlBuffer(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, header), 'prctl PR_SET_SECCOMP')
}
