/** Compiles the profile to a classic BPF program over struct seccomp_data. */
import type { Capability } from '../capability-names.ts'
import { AF_VSOCK, harmlessPersonalities, namespaceFlags, unlockedCalls, type Verdict, verdictOf } from './profile.ts'
import { armTable, i386Table } from './tables-32.ts'
import { genericTable, riscv64Table, type SyscallTable, x64Table } from './tables-64.ts'

/** AUDIT_ARCH_ of a machine and the calls it has. */
interface Abi {
  readonly arch: number
  readonly table: SyscallTable
}

const abis: Readonly<Record<string, readonly Abi[]>> = {
  x64: [
    { arch: 0xc000003e, table: x64Table },
    { arch: 0x40000003, table: i386Table },
  ],
  arm64: [
    { arch: 0xc00000b7, table: genericTable },
    { arch: 0x40000028, table: armTable },
  ],
  riscv64: [{ arch: 0xc00000f3, table: riscv64Table }],
  loong64: [{ arch: 0xc0000102, table: genericTable }],
}

const RET = { allow: 0x7fff0000, errno: 0x00050000, killProcess: 0x80000000 } as const
const EPERM = 1
const ENOSYS = 38
/** Offsets in struct seccomp_data: number, architecture, low word of the first argument. */
const DATA = { nr: 0, arch: 4, arg0: 16 } as const
const BPF = { load: 0x20, and: 0x54, ret: 0x06, jump: 0x05, jumpEqual: 0x15, jumpGreaterEqual: 0x35 } as const
/** Conditional jumps reach this far. */
const REACH = 255

interface Instruction {
  readonly code: number
  readonly jt: number
  readonly jf: number
  readonly k: number
}

const statement = (code: number, k: number): Instruction => ({ code, jt: 0, jf: 0, k })
const allow = statement(BPF.ret, RET.allow)
const refuse = statement(BPF.ret, RET.errno | EPERM)
const missing = statement(BPF.ret, RET.errno | ENOSYS)

/** `if (A compares to k) yes else no`, both blocks ending in a return. */
function branch(code: number, k: number, yes: readonly Instruction[], no: readonly Instruction[]): Instruction[] {
  // The shorter way out comes last; far jumps take an unconditional one.
  if (no.length <= REACH) return [{ code, jt: no.length, jf: 0, k }, ...no, ...yes]
  return [{ code, jt: 0, jf: 1, k }, statement(BPF.jump, no.length), ...no, ...yes]
}

function verdictBlock(verdict: Verdict): Instruction[] {
  switch (verdict) {
    case 'allow':
      return [allow]
    case 'refuse':
      return [refuse]
    case 'missing':
      return [missing]
    case 'plain-clone':
      return [
        statement(BPF.load, DATA.arg0),
        statement(BPF.and, namespaceFlags),
        ...branch(BPF.jumpEqual, 0, [allow], [refuse]),
      ]
    case 'plain-personality': {
      const tests = harmlessPersonalities.reduce<Instruction[]>(
        (no, value) => branch(BPF.jumpEqual, value, [allow], no),
        [refuse],
      )
      return [statement(BPF.load, DATA.arg0), ...tests]
    }
    case 'no-vsock':
      return [statement(BPF.load, DATA.arg0), ...branch(BPF.jumpEqual, AF_VSOCK, [refuse], [allow])]
  }
}

/** Numbers from `first` up to the next run's share a verdict. */
interface Run {
  readonly first: number
  readonly verdict: Verdict
}

/** The whole range of numbers as runs, ascending from 0. */
function runsOf(table: SyscallTable, unlocked: ReadonlySet<string>): Run[] {
  const verdicts = new Map<number, Verdict>()
  for (const [first, names] of table) {
    for (const [i, name] of names.trim().split(/\s+/).entries())
      if (name !== '-') verdicts.set(first + i, unlocked.has(name) ? 'allow' : verdictOf(name))
  }
  const runs: Run[] = [{ first: 0, verdict: 'missing' }]
  let expected = 0
  const add = (first: number, verdict: Verdict): void => {
    if (runs.at(-1)!.first === first) runs.pop()
    if (runs.at(-1)?.verdict !== verdict) runs.push({ first, verdict })
  }
  for (const [number, verdict] of [...verdicts].sort(([a], [b]) => a - b)) {
    if (number > expected) add(expected, 'missing')
    add(number, verdict)
    expected = number + 1
  }
  // Also the x32 numbers of x86_64, which have bit 30 set: that machine is given to nobody.
  add(expected, 'missing')
  return runs
}

function search(runs: readonly Run[]): Instruction[] {
  if (runs.length === 1) return verdictBlock(runs[0]!.verdict)
  const middle = runs.length >> 1
  return branch(BPF.jumpGreaterEqual, runs[middle]!.first, search(runs.slice(middle)), search(runs.slice(0, middle)))
}

/**
 * The default profile for a machine (as `process.arch`) as struct sock_filter[]; undefined for machines without a table.
 *
 * @param capabilities those that a process keeps, where they are not the default ones: their calls are allowed too
 */
export function compileProfile(machine: string, capabilities: readonly Capability[] = []): Uint8Array | undefined {
  const unlocked = new Set(unlockedCalls(capabilities))
  const known = abis[machine]
  if (known === undefined) return undefined
  const perAbi = known.reduceRight<Instruction[]>(
    (otherwise, { arch, table }) =>
      branch(BPF.jumpEqual, arch, [statement(BPF.load, DATA.nr), ...search(runsOf(table, unlocked))], otherwise),
    [statement(BPF.ret, RET.killProcess)],
  )
  return encode([statement(BPF.load, DATA.arch), ...perAbi])
}

function encode(program: readonly Instruction[]): Uint8Array {
  const bytes = Buffer.alloc(program.length * 8)
  for (const [i, { code, jt, jf, k }] of program.entries()) {
    bytes.writeUInt16LE(code, i * 8)
    bytes.writeUInt8(jt, i * 8 + 2)
    bytes.writeUInt8(jf, i * 8 + 3)
    bytes.writeUInt32LE(k >>> 0, i * 8 + 4)
  }
  return bytes
}
