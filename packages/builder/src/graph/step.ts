/**
 * The build graph: steps are plain data that name their inputs by object, so a step's key is a hash of it.
 *
 * A step says *what*, never *how*: handlers (steps/) know how. Two steps with equal data and equal inputs are the same
 * step, wherever they stand in the Dockerfile. Steps form a directed graph without cycles; every input of a step is made
 * before it.
 */
import type { Descriptor, Platform } from '@tsbuild/registry-client'
import type { Location } from '../source.ts'
import type { FileOp } from './file-op.ts'
import type { Layer } from './layer.ts'

interface StepBase {
  /** As progress shows it: `[build 2/3] RUN make`. Not part of the key. */
  readonly name: string
  /** Where it stands in the Dockerfile. Not part of the key. */
  readonly at: Location | undefined
  /** Do not take the result from the cache (`--no-cache`, `--no-cache-filter`). Not part of the key. */
  readonly noCache: boolean
}

/** An image's root filesystem: its layers are fetched when a step needs their files or an export needs their blobs. */
export interface ImageStep extends StepBase {
  readonly kind: 'image'
  /** Where its blobs come from; the source is found by this reference in the build's list of resolved images. */
  readonly ref: string
  readonly platform: Platform
  readonly manifest: Descriptor
  readonly layers: readonly Layer[]
}

/** A directory of the caller's: the main context or a named one. */
export interface ContextStep extends StepBase {
  readonly kind: 'context'
  /** Key into the build's table of opened contexts. */
  readonly context: string
}

/** A file fetched by ADD of a URL. */
export interface HttpStep extends StepBase {
  readonly kind: 'http'
  readonly url: string
  readonly checksum: string | undefined
}

/** A checkout fetched by ADD of a git URL. */
export interface GitStep extends StepBase {
  readonly kind: 'git'
  readonly url: string
  readonly ref: string | undefined
  readonly subdir: string | undefined
  readonly keepGitDir: boolean
  readonly submodules: boolean
  readonly checksum: string | undefined
  /** The commit that is taken, wherever the ref leads by now. */
  readonly commit: string | undefined
}

/** COPY, ADD, WORKDIR: one layer made of file operations. */
export interface FileStep extends StepBase {
  readonly kind: 'file'
  /** What the layer is put on; undefined for an empty root filesystem. */
  readonly parent: RootfsStep | undefined
  /** --link: the layer does not look at its parent at all. */
  readonly link: boolean
  readonly ops: readonly { readonly op: FileOp; readonly from: SourceStep | undefined }[]
}

/** Where a mount's or copy's files come from. */
export type SourceStep = RootfsStep | ContextStep | HttpStep | GitStep

export type RunMount =
  | {
      readonly type: 'bind'
      readonly from: SourceStep
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
      readonly from: SourceStep | undefined
      readonly source: string
      readonly mode: number
      readonly uid: number
      readonly gid: number
    }
  | { readonly type: 'tmpfs'; readonly target: string; readonly size: number | undefined }
  | {
      readonly type: 'secret'
      readonly id: string
      /** undefined when the secret is only an environment variable. */
      readonly target: string | undefined
      readonly env: string | undefined
      readonly required: boolean
      readonly mode: number
      readonly uid: number
      readonly gid: number
    }
  | {
      readonly type: 'ssh'
      readonly id: string
      readonly target: string | undefined
      readonly required: boolean
      readonly mode: number
      readonly uid: number
      readonly gid: number
    }

/** RUN: one process, one layer. */
export interface RunStep extends StepBase {
  readonly kind: 'run'
  readonly parent: RootfsStep | undefined
  readonly args: readonly string[]
  /** A heredoc script that is executed as a file: made executable at this path for the time of the run. */
  readonly script: { readonly path: string; readonly content: string } | undefined
  /** `NAME=value`, in order; without proxy variables. */
  readonly env: readonly string[]
  /** Proxy variables: given to the process, not part of the key. */
  readonly proxyEnv: readonly string[]
  readonly cwd: string
  /** As in USER: names are resolved in the root filesystem. '' is root. */
  readonly user: string
  readonly mounts: readonly RunMount[]
  readonly network: 'default' | 'none' | 'host'
  readonly security: 'sandbox' | 'insecure'
  readonly hostname: string | undefined
  readonly extraHosts: readonly { readonly host: string; readonly ip: string }[]
  readonly shmSize: number | undefined
  readonly ulimits: readonly { readonly name: string; readonly soft: number; readonly hard: number }[]
  readonly platform: Platform
  /** Seconds: the time of what the process writes. undefined: when it does. SOURCE_DATE_EPOCH where it is set. */
  readonly mtime: number | undefined
}

/** A step whose result is a root filesystem. */
export type RootfsStep = ImageStep | FileStep | RunStep
export type Step = ImageStep | ContextStep | HttpStep | GitStep | FileStep | RunStep

/** The direct inputs of a step, in a fixed order. */
export function inputsOf(step: Step): readonly Step[] {
  switch (step.kind) {
    case 'image':
    case 'context':
    case 'http':
    case 'git':
      return []
    case 'file':
      return [step.parent, ...step.ops.map((o) => o.from)].filter((s) => s !== undefined)
    case 'run':
      return [step.parent, ...step.mounts.map((m) => ('from' in m ? m.from : undefined))].filter((s) => s !== undefined)
  }
}
