/** What the worker, the process that clones, and the processes being set up tell each other. */
import type { ProcessSpec, SandboxMount } from './executor.ts'

/** What a fresh clone has to do: the process, and what the worker knows about the machine. Sent in a memory file. */
export interface InitSpec {
  /** `namespaces`: in new ones, with mounts; `chroot`: nothing but another root, below a process that cleans up. */
  readonly mode: 'namespaces' | 'chroot'
  readonly process: ProcessSpec
  readonly rootfs: string
  /** Control group directories to join, seen from the worker. */
  readonly cgroups: readonly string[]
  /** With `chroot`: it is in a mount namespace of its own, which still has to be filled. */
  readonly ownMounts: boolean
  /** There is one mapped id only: setgroups is forbidden and devpts gets no group. */
  readonly singleId: boolean
  /** A BPF program for the `sandbox` mode; undefined where filters are not available. */
  readonly seccomp: Uint8Array | undefined
  /** Descriptor 0 is a terminal that becomes the controlling one. */
  readonly terminal: boolean
  /** Wait for a byte on the life line before the set-up goes on (the network is attached meanwhile). */
  readonly waitForGo: boolean
}

/** Argument of a cloner that always has a clone ready. */
export const STAGES = '--stages'

/** A specification as JSON has it. */
interface EncodedSpec extends Omit<InitSpec, 'process' | 'seccomp'> {
  readonly process: Omit<ProcessSpec, 'mounts'>
  readonly mounts: readonly (SandboxMount & { readonly content?: string })[]
  readonly seccomp: string | undefined
}

/**
 * As JSON, with bytes as base64: unlike what node:v8 offers, that costs a process with V8 flags of its own nothing to
 * load.
 */
export function encodeSpec({ process: { mounts, ...wanted }, seccomp, ...rest }: InitSpec): Buffer {
  const encoded = {
    ...rest,
    process: wanted,
    mounts: mounts.map((mount) => (mount.type === 'file' ? { ...mount, content: base64(mount.content) } : mount)),
    seccomp: seccomp && base64(seccomp),
  }
  return Buffer.from(JSON.stringify(encoded))
}

/** The inverse of {@link encodeSpec}. */
export function decodeSpec(content: Buffer): InitSpec {
  const { process: wanted, mounts, seccomp, ...rest } = JSON.parse(content.toString('utf8')) as EncodedSpec
  const decoded = mounts.map((mount) =>
    mount.type === 'file' ? { ...mount, content: Buffer.from(mount.content, 'base64') } : mount,
  )
  return {
    ...rest,
    process: { ...wanted, mounts: decoded },
    seccomp: seccomp === undefined ? undefined : Buffer.from(seccomp, 'base64'),
  }
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64')
}

/** Descriptors of a start request, in this order. The life line is closed when the worker is gone or gives up. */
export type InitDescriptors = readonly [
  spec: number,
  stdin: number,
  stdout: number,
  stderr: number,
  status: number,
  life: number,
]

/** Worker → cloner, as packets. `start` carries {@link InitDescriptors}. */
export type ClonerRequest =
  | {
      readonly op: 'start'
      readonly id: number
      readonly flags: number
      /** A clone may be used that was made ready before (namespaces/stage.ts). */
      readonly staged: boolean
    }
  | { readonly op: 'kill'; readonly id: number; readonly signal: number }

/** Cloner → worker, a line of JSON each. */
export type ClonerReport =
  | { readonly op: 'ready' }
  | { readonly op: 'failed'; readonly id: number; readonly message: string }
  | {
      readonly op: 'exited'
      readonly id: number
      readonly exitCode: number
      readonly signal: number | null
      readonly cpuSeconds: number
      readonly peakMemory: number
    }

/** Init → worker on the status pipe, a line of JSON each; its end without `failed` means that the program ran. */
export type InitStatus =
  | {
      readonly type: 'stub'
      readonly path: string
      readonly kind: 'directory' | 'file'
      readonly atimeNs: string
      readonly mtimeNs: string
    }
  /** Waits for its network; the pid as the worker sees it. */
  | { readonly type: 'pid'; readonly pid: number }
  /** Everything is set up; the program is next. */
  | { readonly type: 'ready' }
  /** A signal ended the program (told where the clone is not the program itself). */
  | { readonly type: 'signal'; readonly number: number }
  | {
      readonly type: 'failed'
      readonly kind: 'exec' | 'setup' | 'user'
      readonly message: string
      readonly exitCode: number
    }
