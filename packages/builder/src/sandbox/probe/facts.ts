/** What is asked of a machine: plain data, for `tsbuild doctor` and for choosing an isolation. */

/** Whether something works, and what was seen. */
export interface Fact {
  readonly ok: boolean
  /** One line: a version, a path, or the reason why not. */
  readonly detail: string
}

export interface MachineReport {
  readonly kernel: string
  readonly architecture: string
  readonly user: { readonly uid: number; readonly name: string }
  /** Signs of being inside a container. */
  readonly container: boolean
  /** A mount namespace can be made as the user one is. */
  readonly mountNamespace: Fact
  /** A user namespace can be made. */
  readonly userNamespace: Fact
  readonly subordinateIds: Fact
  /** Overlay mounts work in the namespaces that the worker would get, on the store's file system. */
  readonly overlay: Fact
  readonly cgroups: Fact & {
    readonly version: 'v1' | 'v2' | 'hybrid' | 'none'
    /** Controllers in which groups can be made. */
    readonly writable: readonly string[]
  }
  readonly seccomp: Fact
  readonly chroot: Fact
  readonly runtimes: readonly (Fact & { readonly name: string })[]
  /** Machines whose programs run here through an interpreter. */
  readonly binfmt: readonly string[]
  readonly networkHelper: Fact
  readonly store: Fact & { readonly path: string; readonly fileSystem: string; readonly freeBytes: number }
  /** Kernel settings that keep ordinary users from making user namespaces. */
  readonly hindrances: readonly { readonly setting: string; readonly value: string; readonly needed: string }[]
}

/** How isolated RUN will be with `--isolation auto`. */
export interface IsolationVerdict {
  readonly level: 'namespaces' | 'oci' | 'chroot' | 'none'
  /** One sentence. */
  readonly why: string
  /** The one command, or change, that would raise the level; undefined at the highest. */
  readonly raise: string | undefined
}
