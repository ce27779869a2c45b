/** Numbers of system calls that the C library does not wrap, or whose wrappers cannot be used here, by machine. */

export interface SyscallNumbers {
  readonly clone: number
  readonly pivotRoot: number
  readonly setresuid: number
  readonly setresgid: number
  readonly setgroups: number
  readonly capset: number
  readonly keyctl: number
  readonly closeRange: number
  readonly openTree: number
  readonly moveMount: number
  readonly mountSetattr: number
  readonly pidfdOpen: number
}

const recent = { closeRange: 436, openTree: 428, moveMount: 429, mountSetattr: 442, pidfdOpen: 434 }

const x64: SyscallNumbers = {
  clone: 56,
  pivotRoot: 155,
  setresuid: 117,
  setresgid: 119,
  setgroups: 116,
  capset: 126,
  keyctl: 250,
  ...recent,
}

/** The table that machines which came to Linux since 2012 share. */
const generic: SyscallNumbers = {
  clone: 220,
  pivotRoot: 41,
  setresuid: 147,
  setresgid: 149,
  setgroups: 159,
  capset: 91,
  keyctl: 219,
  ...recent,
}

const tables: Readonly<Record<string, SyscallNumbers>> = { x64, arm64: generic, riscv64: generic, loong64: generic }

/** The table of this machine; undefined where the sandbox cannot make system calls (the OCI executor is left). */
export const numbers: SyscallNumbers | undefined = tables[process.arch]
