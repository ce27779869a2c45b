import { describe, expect, it } from 'vitest'
import { compileProfile } from './compile.ts'

const ALLOW = 0x7fff0000
const EPERM = 0x50001
const ENOSYS = 0x50026
const KILL = 0x80000000

/** Runs a BPF program over seccomp data, as the kernel does. */
function run(program: Uint8Array, arch: number, nr: number, arg0 = 0n): number {
  const data = Buffer.alloc(64)
  data.writeUInt32LE(nr >>> 0, 0)
  data.writeUInt32LE(arch >>> 0, 4)
  data.writeBigUInt64LE(arg0, 16)
  const code = Buffer.from(program)
  let a = 0
  for (let pc = 0, steps = 0; steps < 1000; steps++, pc++) {
    const at = pc * 8
    const op = code.readUInt16LE(at)
    const k = code.readUInt32LE(at + 4)
    const jump = (taken: boolean): void => {
      pc += code.readUInt8(at + (taken ? 2 : 3))
    }
    if (op === 0x20) a = data.readUInt32LE(k)
    else if (op === 0x54) a = (a & k) >>> 0
    else if (op === 0x06) return k
    else if (op === 0x05) pc += k
    else if (op === 0x15) jump(a === k)
    else if (op === 0x35) jump(a >= k)
    else throw new Error(`unknown instruction ${op.toString(16)} at ${pc}`)
  }
  throw new Error('does not end')
}

const X64 = 0xc000003e
const I386 = 0x40000003
const ARM64 = 0xc00000b7
const ARM = 0x40000028

describe('the system call filter', () => {
  it.each<[string, string, number, number, bigint, number]>([
    ['x64', 'read', X64, 0, 0n, ALLOW],
    ['x64', 'execve', X64, 59, 0n, ALLOW],
    ['x64', 'ptrace', X64, 101, 0n, ALLOW],
    ['x64', 'mount', X64, 165, 0n, EPERM],
    ['x64', 'umount2', X64, 166, 0n, EPERM],
    ['x64', 'chroot', X64, 161, 0n, ALLOW],
    ['x64', 'unshare', X64, 272, 0n, EPERM],
    ['x64', 'setns', X64, 308, 0n, EPERM],
    ['x64', 'keyctl', X64, 250, 0n, EPERM],
    ['x64', 'add_key', X64, 248, 0n, EPERM],
    ['x64', 'bpf', X64, 321, 0n, EPERM],
    ['x64', 'kexec_load', X64, 246, 0n, EPERM],
    ['x64', 'open_by_handle_at', X64, 304, 0n, EPERM],
    ['x64', 'userfaultfd', X64, 323, 0n, EPERM],
    ['x64', 'perf_event_open', X64, 298, 0n, EPERM],
    ['x64', 'init_module', X64, 175, 0n, EPERM],
    ['x64', 'io_uring_setup', X64, 425, 0n, EPERM],
    ['x64', 'open_tree', X64, 428, 0n, EPERM],
    ['x64', 'clone3', X64, 435, 0n, ENOSYS],
    ['x64', 'openat2', X64, 437, 0n, ALLOW],
    ['x64', 'fchmodat2', X64, 452, 0n, ALLOW],
    ['x64', 'a call of the future', X64, 467, 0n, ENOSYS],
    ['x64', 'an x32 read', X64, 0x40000000, 0n, ENOSYS],
    ['x64', 'fork by clone', X64, 56, 17n, ALLOW],
    ['x64', 'thread by clone', X64, 56, 0x3d0f00n, ALLOW],
    ['x64', 'clone NEWUSER', X64, 56, 0x10000011n, EPERM],
    ['x64', 'clone NEWNS', X64, 56, 0x20011n, EPERM],
    ['x64', 'clone NEWCGROUP', X64, 56, 0x2000011n, EPERM],
    ['x64', 'personality query', X64, 135, 0xffffffffn, ALLOW],
    ['x64', 'personality linux32', X64, 135, 8n, ALLOW],
    ['x64', 'personality without ASLR', X64, 135, 0x40000n, EPERM],
    ['x64', 'socket inet', X64, 41, 2n, ALLOW],
    ['x64', 'socket vsock', X64, 41, 40n, EPERM],
    ['x64', 'i386 read', I386, 3, 0n, ALLOW],
    ['x64', 'i386 mount', I386, 21, 0n, EPERM],
    ['x64', 'i386 socketcall', I386, 102, 0n, ALLOW],
    ['x64', 'i386 clone NEWUSER', I386, 120, 0x10000000n, EPERM],
    ['x64', 'i386 unshare', I386, 310, 0n, EPERM],
    ['x64', 'i386 clock_gettime64', I386, 403, 0n, ALLOW],
    ['x64', 'another machine', ARM64, 63, 0n, KILL],
    ['arm64', 'read', ARM64, 63, 0n, ALLOW],
    ['arm64', 'execve', ARM64, 221, 0n, ALLOW],
    ['arm64', 'mount', ARM64, 40, 0n, EPERM],
    ['arm64', 'unshare', ARM64, 97, 0n, EPERM],
    ['arm64', 'clone thread', ARM64, 220, 0x3d0f00n, ALLOW],
    ['arm64', 'clone NEWPID', ARM64, 220, 0x20000000n, EPERM],
    ['arm64', 'arm read', ARM, 3, 0n, ALLOW],
    ['arm64', 'arm mount', ARM, 21, 0n, EPERM],
    ['arm64', 'arm set_tls', ARM, 0xf0005, 0n, ALLOW],
    ['arm64', 'another machine', X64, 0, 0n, KILL],
    ['riscv64', 'riscv_flush_icache', 0xc00000f3, 259, 0n, ALLOW],
  ])('%s: %s', (machine, _name, arch, nr, arg0, expected) => {
    expect(run(compileProfile(machine)!, arch, nr, arg0).toString(16)).toBe(expected.toString(16))
  })

  it('fits into what the kernel takes, and answers each number in few steps', () => {
    expect(compileProfile('x64')!.length / 8).toBeLessThan(1500)
  })

  it('knows no other machines', () => {
    expect(compileProfile('s390x')).toBeUndefined()
  })
})
