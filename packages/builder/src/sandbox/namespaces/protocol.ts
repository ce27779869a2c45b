/** What the worker, the process that clones, and the processes being set up tell each other. */
import type { ProcessSpec } from '../executor.ts'

/** What a fresh clone has to do: the process, and what the worker knows about the machine. Sent in a memory file. */
export interface InitSpec {
  readonly process: ProcessSpec
  readonly rootfs: string
  /** Control group directories to join, seen from the worker. */
  readonly cgroups: readonly string[]
  /** There is one mapped id only: setgroups is forbidden and devpts gets no group. */
  readonly singleId: boolean
  /** The network namespace belongs to us: sysfs may be mounted anew. */
  readonly ownsNetwork: boolean
  /** A BPF program for the `sandbox` mode; undefined where filters are not available. */
  readonly seccomp: Uint8Array | undefined
  /** Descriptor 0 is a terminal that becomes the controlling one. */
  readonly terminal: boolean
  /** Wait for a byte on this message's `go` descriptor before the set-up goes on (the network is attached meanwhile). */
  readonly waitForGo: boolean
}

/** Worker → cloner, as packets. `start` carries the descriptors [spec, stdin, stdout, stderr, status, go]. */
export type ClonerRequest =
  | { readonly op: 'start'; readonly id: number; readonly flags: number }
  | { readonly op: 'kill'; readonly id: number; readonly signal: number }

/** Cloner → worker, a line of JSON each. */
export type ClonerReport =
  | { readonly op: 'ready' }
  | { readonly op: 'started'; readonly id: number; readonly pid: number }
  | { readonly op: 'failed'; readonly id: number; readonly message: string }
  | {
      readonly op: 'exited'
      readonly id: number
      readonly exitCode: number
      readonly signal: number | null
      readonly cpuSeconds: number
      readonly peakMemory: number
    }

/** An entry made in the root filesystem as a mount point, with the times its parent directory had before. */
export interface Stub {
  readonly path: string
  readonly kind: 'directory' | 'file'
  readonly parentAtimeNs: bigint
  readonly parentMtimeNs: bigint
}

/** Init → worker on the status pipe, a line of JSON each; its end without `failed` means that the program runs. */
export type InitStatus =
  | {
      readonly type: 'stub'
      readonly path: string
      readonly kind: 'directory' | 'file'
      readonly atimeNs: string
      readonly mtimeNs: string
    }
  | {
      readonly type: 'failed'
      readonly kind: 'exec' | 'setup' | 'user'
      readonly message: string
      readonly exitCode: number
    }
