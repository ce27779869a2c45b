/** The operations that the main process asks of the worker: typed messages, no files in them. */
import type { FileOp, Selection } from '../graph/file-op.ts'
import type { Capability } from '../sandbox/capability-names.ts'
import type { Executor, ResourceLimits, TerminalSize, Ulimit } from '../sandbox/executor.ts'
import type { SnapshotId, SnapshotInfo } from '../snapshot/snapshotter.ts'
import type { MountInfo } from '../store/index.ts'
import type { PieceTable } from '../store/pieces.ts'

/** Where the files of an operation come from. */
export type OpSource =
  /** A root filesystem. */
  | { readonly type: 'stack'; readonly stack: readonly SnapshotId[] }
  /** A tree of the host whose chosen entries were written to a file by the main process. */
  | { readonly type: 'entries'; readonly root: string; readonly entries: string }

export interface RunSecret {
  readonly target: string
  readonly content: Uint8Array
  readonly mode: number
  readonly uid: number
  readonly gid: number
}

export type RunMountSpec =
  | {
      readonly type: 'bind'
      readonly stack: readonly SnapshotId[]
      readonly source: string
      readonly target: string
      readonly readonly: boolean
    }
  | {
      readonly type: 'cache'
      readonly id: string
      readonly target: string
      readonly sharing: 'shared' | 'private' | 'locked'
      readonly readonly: boolean
      /** Content of a new cache. */
      readonly seed: readonly SnapshotId[] | undefined
      readonly source: string
      readonly mode: number
      readonly uid: number
      readonly gid: number
      /** Begin with an empty cache (`--no-cache`). */
      readonly renew: boolean
    }
  | {
      readonly type: 'tmpfs'
      readonly target: string
      readonly size: number | undefined
      readonly mode?: number | undefined
      readonly noexec?: boolean | undefined
    }
  | ({ readonly type: 'secret' } & RunSecret)
  | {
      readonly type: 'socket'
      readonly path: string
      readonly target: string
      readonly mode: number
      readonly uid: number
      readonly gid: number
    }
  /** A file or directory of the caller's machine. */
  | { readonly type: 'host'; readonly source: string; readonly target: string; readonly readonly: boolean }

/** A process that is given input while it runs. */
export interface Interaction {
  /** Names it in `run.input` and `run.resize`; unique in the worker. */
  readonly id: string
  /** It gets a terminal of this size. */
  readonly terminal: TerminalSize | undefined
}

/** What `tsbuild run` can ask for and a RUN cannot. */
export interface ContainerParams {
  /** In place of the default ones. */
  readonly capabilities?: readonly Capability[] | undefined
  readonly readonlyRoot?: boolean | undefined
  readonly init?: boolean | undefined
  /** Further groups of the process, by name or number. */
  readonly groups?: readonly string[] | undefined
}

export interface RunParams {
  readonly container?: ContainerParams | undefined
  readonly stack: readonly SnapshotId[]
  /** Names what the process writes; undefined: it is thrown away. */
  readonly id: SnapshotId | undefined
  /** Names what a process wrote that failed or took too long; undefined: it is thrown away. */
  readonly keep: SnapshotId | undefined
  readonly interaction: Interaction | undefined
  readonly args: readonly string[]
  readonly script: { readonly path: string; readonly content: string } | undefined
  readonly env: readonly string[]
  readonly cwd: string
  readonly user: string
  readonly mounts: readonly RunMountSpec[]
  readonly network: 'host' | 'none' | 'isolated'
  readonly security: 'sandbox' | 'insecure'
  readonly hostname: string
  readonly extraHosts: readonly { readonly host: string; readonly ip: string }[]
  readonly dns: readonly string[]
  readonly shmSize: number | undefined
  readonly ulimits: readonly Ulimit[]
  readonly resources: ResourceLimits
  readonly cgroupParent: string | undefined
  /** Milliseconds; undefined: no limit. */
  readonly timeout: number | undefined
  /** Secrets that the new layer must not hold. */
  readonly scanFor: readonly Uint8Array[]
  /** Seconds: the time of what the process writes; undefined: when it does. */
  readonly mtime: number | undefined
}

/** How RUN will be isolated. */
export interface Preparation {
  readonly level: Executor['name']
  /** What is not isolated, one line; undefined when everything is. */
  readonly announcement: string | undefined
}

export type RunOutcome =
  | { readonly status: 'succeeded' }
  | {
      readonly status: 'failed'
      readonly exitCode: number
      readonly signal?: string | undefined
      readonly oomKilled?: boolean | undefined
      /** Bytes. */
      readonly peakMemory?: number | undefined
    }
  | { readonly status: 'timeout' }
  /** A file of the new layer holds a secret; nothing was committed. */
  | { readonly status: 'secret'; readonly path: string }

export interface PackResult {
  readonly mediaType: string
  readonly diffID: string
  readonly digest: string
  readonly size: number
  /** The blob itself where it is small: no file was made. */
  readonly content: Uint8Array | undefined
  /** Where its pieces are, to be saved with it. */
  readonly pieces: PieceTable | undefined
}

/** What became of packing a cache mount. Sizes are bytes. */
export type MountPacked =
  | {
      readonly status: 'packed'
      readonly diffID: string
      /** Of the archive. */
      readonly size: number
      readonly chunks: readonly { readonly digest: string; readonly size: number }[]
      readonly leftOut: LeftOut | undefined
    }
  /** There is none, or nothing in it; another build has it to itself, or it was written to all the time. */
  | { readonly status: 'absent' | 'busy' | 'changing' }
  /** It is too big: `what` says of what there is too much. */
  | { readonly status: 'too-big'; readonly what: string }

/** Argument of a worker that will probably have to run processes in namespaces. */
export const WILL_RUN = '--will-run'

/** What the worker is told before anything else. */
export interface OpenParams {
  /** The state directory. */
  readonly root: string
  readonly mode: 'root' | 'subids' | 'single' | 'plain'
  readonly isolation: 'auto' | 'namespaces' | 'oci' | 'chroot'
  readonly ociRuntime: string | undefined
  /** `read`: snapshots are only listed, and nothing is made or changed. */
  readonly access: 'read' | 'write'
}

/** How the worker keeps root filesystems. */
export interface Opened {
  /** Why snapshots are copies and not overlay mounts; undefined where they are mounts. */
  readonly copies: string | undefined
  /** What was in the way and could not be removed, and why. */
  readonly skipped: readonly string[]
}

/** What of a layer's files could not be had as they are in the layer. */
export interface Incomplete {
  readonly files: number
  /** One of them, and why. */
  readonly example: string
}

/** A root filesystem that is handed out. */
export interface RootfsPart {
  readonly stack: readonly SnapshotId[]
  /** The directory in it whose files are wanted. */
  readonly source: string
  /** Where they are put; '' for no directory. */
  readonly directory: string
  /** What it is called in messages: its platform. */
  readonly name: string
  /** Seconds: the time of all files, in place of their own. */
  readonly time: number | undefined
}

/** What of root filesystems could not be written: how many files, and the path of one. */
export interface LeftOut {
  readonly files: number
  readonly example: string
}

/** Parameters and result of each operation. */
export interface WorkerOperations {
  open: { params: OpenParams; result: Opened }
  'snapshot.has': { params: { ids: readonly SnapshotId[] }; result: boolean[] }
  'snapshot.list': { params: object; result: SnapshotInfo[] }
  'snapshot.remove': { params: { ids: readonly SnapshotId[] }; result: void }
  /** Takes snapshots out of reach at once. */
  'snapshot.discard': { params: { ids: readonly SnapshotId[] }; result: void }
  /** Deletes what was discarded; returns what could not be deleted, and why. */
  'snapshot.purge': { params: Record<string, never>; result: readonly string[] }
  /** The directories of cache mounts. */
  'mount.list': { params: object; result: readonly MountInfo[] }
  /** Deletes one that no process has mounted; whether it is gone. */
  'mount.remove': { params: { id: string }; result: boolean }
  /** Which cache mounts hold nothing yet, by name. */
  'mount.isEmpty': { params: { name: string }; result: boolean }
  /** Packs what a cache mount holds into chunks: one file each in the directory `out`, named by its digest. */
  'mount.pack': {
    params: { name: string; sharing: 'shared' | 'private' | 'locked'; out: string; maxSize: number }
    result: MountPacked
  }
  /** Gives an empty cache mount the content that files with its chunks hold; whether it took it. */
  'mount.fill': {
    params: { mount: RunMountSpec & { type: 'cache' }; chunks: readonly string[]; diffID: string; size: number }
    result: boolean
  }
  /** Looks whether all that was used until now is as it was committed. */
  'snapshot.verify': { params: Record<string, never>; result: void }
  /** Unpacks a layer blob on top of `below` and verifies its diffID. */
  'layer.unpack': {
    params: { id: SnapshotId; below: readonly SnapshotId[]; blob: string; mediaType: string; diffID: string }
    result: Incomplete | undefined
  }
  /** Packs what `id` changed, into a file if that is big. */
  'layer.pack': {
    params: { id: SnapshotId; out: string; compression: 'gzip' | 'zstd' | 'none'; level: number | undefined }
    result: PackResult
  }
  'files.apply': {
    params: {
      stack: readonly SnapshotId[]
      id: SnapshotId
      ops: readonly { readonly op: FileOp; readonly source: OpSource | undefined }[]
      /** Root filesystem whose users and groups count; undefined: the one that is written. */
      accounts: readonly SnapshotId[] | undefined
      /** Where no file is yet: for contents that have to wait. */
      spool: string
    }
    result: void
  }
  /** Content digest of what `selection` chooses in a root filesystem. */
  'files.fingerprint': {
    params: { stack: readonly SnapshotId[]; selection: Selection; keepOwner: boolean }
    result: string
  }
  /** Chooses the executor and makes it ready, so that the first RUN does not wait for it. */
  'run.prepare': { params: Record<string, never>; result: Preparation }
  run: { params: RunParams; result: RunOutcome }
  /** Input for a process with an interaction, undefined at its end; returns when there is room for more. */
  'run.input': { params: { id: string; data: Uint8Array | undefined }; result: void }
  'run.resize': { params: { id: string; size: TerminalSize }; result: void }
  /** Writes root filesystems into a tar file: one as it is, or each below a directory of its own. */
  'rootfs.tar': { params: { parts: readonly RootfsPart[]; dest: string }; result: LeftOut | undefined }
  /** Copies the files of root filesystems into a directory of the host; no existing link is followed. */
  'rootfs.copy': { params: { parts: readonly RootfsPart[]; dest: string }; result: LeftOut | undefined }
}

export type WorkerOperation = keyof WorkerOperations

/** What an operation reports while it runs. */
export type WorkerEvent =
  | { readonly type: 'log'; readonly stream: 'stdout' | 'stderr'; readonly data: Uint8Array }
  | { readonly type: 'progress'; readonly item: string; readonly current: number; readonly total: number }

/** Calls operations of the worker; the worker starts on the first call. */
export interface WorkerClient {
  call<O extends WorkerOperation>(
    operation: O,
    params: WorkerOperations[O]['params'],
    options: { signal: AbortSignal; onEvent?: (event: WorkerEvent) => void },
  ): Promise<WorkerOperations[O]['result']>
}
