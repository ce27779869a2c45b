/**
 * Runs one process in a root filesystem. Knows no Dockerfile: the caller resolves users, mounts and variables.
 *
 * Every executor fulfils the same contract suite (executor.contract.ts): the process is pid 1 of its own pid namespace
 * (where the mode has one), sees only `mounts`, /proc, /dev and /sys as a container does, gets the given environment and
 * nothing else, inherits no descriptors but 0 to 2, and is gone, with all it started, when `run` settles or the worker dies.
 */

import type { Capability } from './capability-names.ts'

/** A mount that RUN asked for, on top of the standard ones. Targets are resolved inside the root filesystem. */
export type SandboxMount =
  /** `source` is a path of the worker: a file, directory or socket that is safe to expose. */
  | { readonly type: 'bind'; readonly source: string; readonly target: string; readonly readonly: boolean }
  | {
      readonly type: 'tmpfs'
      readonly target: string
      readonly size?: number
      readonly mode?: number
      /** Nothing on it can be executed. */
      readonly noexec?: boolean
    }
  /** A regular file on a tmpfs, never on disk. */
  | {
      readonly type: 'file'
      readonly target: string
      readonly content: Uint8Array
      readonly mode: number
      readonly uid: number
      readonly gid: number
    }

export interface ProcessUser {
  readonly uid: number
  readonly gid: number
  /** Supplementary groups, the primary one included where the reference includes it. */
  readonly additionalGids: readonly number[]
}

export interface ResourceLimits {
  /** Bytes. */
  readonly memory?: number
  /** Bytes of memory plus swap; -1 unlimited. */
  readonly memorySwap?: number
  readonly cpuShares?: number
  /** Microseconds. */
  readonly cpuPeriod?: number
  readonly cpuQuota?: number
  readonly cpusetCpus?: string
  readonly cpusetMems?: string
  readonly pids?: number
}

export interface Ulimit {
  /** As `docker build --ulimit` names it: nofile, nproc, core … */
  readonly name: string
  readonly soft: number
  readonly hard: number
}

export interface ProcessSpec {
  /** argv; a bare name in args[0] is looked up in the PATH of `env`, inside the root filesystem. */
  readonly args: readonly string[]
  /** `NAME=value`, in order. */
  readonly env: readonly string[]
  /** Absolute path inside the root filesystem; made (0755, by `user`'s ids) when missing. */
  readonly cwd: string
  readonly user: ProcessUser
  readonly hostname: string
  /** `host`: the network namespace of the caller; `none`: loopback only; `isolated`: outbound through pasta or slirp4netns. */
  readonly network: 'host' | 'none' | 'isolated'
  /** Contents of /etc/hosts and /etc/resolv.conf, mounted over the files; undefined leaves the image's. */
  readonly hosts: string | undefined
  readonly resolvConf: string | undefined
  readonly mounts: readonly SandboxMount[]
  /** `insecure`: all capabilities, no seccomp, no masked paths. */
  readonly security: 'sandbox' | 'insecure'
  /** What `sandbox` leaves root, in place of the default set; those that need a call of their own get it. */
  readonly capabilities?: readonly Capability[] | undefined
  /** The root filesystem cannot be written; mounts on it can. */
  readonly readonlyRoot?: boolean | undefined
  /** Process 1 is not the program but one of ours, which collects orphans. */
  readonly init?: boolean | undefined
  /** Bytes of /dev/shm (default 64 MiB). */
  readonly shmSize?: number | undefined
  readonly ulimits: readonly Ulimit[]
  readonly resources: ResourceLimits
  readonly cgroupParent?: string | undefined
}

/** In characters. */
export interface TerminalSize {
  readonly columns: number
  readonly rows: number
}

/** A terminal for the process in place of pipes. */
export interface ProcessTerminal {
  readonly size: TerminalSize
  /** Names the one who is told of each later size. */
  onResize(listener: (size: TerminalSize) => void): void
}

export interface ProcessIO {
  /** What the process reads from descriptor 0; undefined: an empty input. */
  readonly stdin?: import('node:stream').Readable | undefined
  /** The process gets a pseudo terminal: `stdin` is typed on it, and what it shows is handed on as stdout. */
  readonly terminal?: ProcessTerminal | undefined
  /** Called with each chunk printed; backpressure is applied while the returned promise is pending. */
  onOutput(stream: 'stdout' | 'stderr', chunk: Buffer): void | Promise<void>
}

export interface ProcessExit {
  /** 128 + signal number when a signal ended the process. */
  readonly exitCode: number
  readonly signal?: NodeJS.Signals
  /** The kernel's OOM killer ended it (known where a memory cgroup was used). */
  readonly oomKilled?: boolean
  readonly usage?: { readonly peakMemory?: number; readonly cpuSeconds?: number }
}

export interface Executor {
  readonly name: 'namespaces' | 'oci' | 'chroot'
  /** Whether processes must not run side by side, because they could reach each other's files; absent: they cannot. */
  readonly exclusive?: Promise<boolean>
  /**
   * Runs the process to its end. `rootfs` is writable and owned by the caller, who commits it afterwards; mount points
   * that had to be made in it are removed again, except /dev, /proc and /sys (0755) which stay as empty directories.
   * Rejects with a BuildError when the process could not be started (bad cwd, missing binary, refused mount); a process
   * that fails is a normal result. An abort kills everything and rejects with CANCELLED.
   */
  run(spec: ProcessSpec, rootfs: string, io: ProcessIO, signal: AbortSignal): Promise<ProcessExit>
  /** Stops helper processes that wait to be used. */
  [Symbol.asyncDispose](): Promise<void>
}
