/**
 * Typed instructions: what {@link RawInstruction}s mean before variables are expanded.
 *
 * Every text below is unexpanded unless it says otherwise; `plan` expands it with the stage's variables.
 * Durations are nanoseconds, as in the image config.
 */
import type { Flag, Heredoc, RawInstruction } from '../dockerfile/ast.ts'
import type { SourceFile } from '../source.ts'

interface NodeBase<K extends string> {
  readonly kind: K
  /** The instruction as written: for positions, history and messages. */
  readonly raw: RawInstruction
}

/** `key=value` of ENV, LABEL, ARG. */
export interface KeyValue {
  readonly key: string
  readonly value: string
  /** `ENV key value`, the legacy form without `=`. */
  readonly legacy: boolean
}

export interface FromNode extends NodeBase<'FROM'> {
  readonly image: string
  readonly platform: string | undefined
  /** Lower case; undefined if the stage has no name. */
  readonly stageName: string | undefined
  /** The name as written, for lint. */
  readonly stageNameRaw: string | undefined
}
export interface ArgNode extends NodeBase<'ARG'> {
  /** `value` is undefined for `ARG name` without default. */
  readonly args: readonly { readonly key: string; readonly value: string | undefined }[]
}
export interface EnvNode extends NodeBase<'ENV'> {
  readonly pairs: readonly KeyValue[]
}
export interface LabelNode extends NodeBase<'LABEL'> {
  readonly pairs: readonly KeyValue[]
}

/** A command line in shell form (one text, run by SHELL) or exec form (arguments, decoded from JSON, never expanded). */
export type CommandLine =
  | { readonly form: 'shell'; readonly text: string; readonly heredocs: readonly Heredoc[] }
  | { readonly form: 'exec'; readonly args: readonly string[] }

/** One field of a `--mount`. */
export interface MountField {
  /** Lower case. */
  readonly key: string
  /** undefined for a bare key, such as `ro`. */
  readonly value: string | undefined
  /** The field as written. */
  readonly text: string
}
/** One `--mount`: the comma separated fields as written, CSV quoting resolved; checked when its variables are expanded. */
export interface MountFlag {
  readonly fields: readonly MountField[]
  /** The flag and its file, for messages. */
  readonly flag: Flag
  readonly file: SourceFile
}
/** One `--device`. */
export interface DeviceFlag {
  /** '' if it was left out. */
  readonly name: string
  readonly required: boolean
}
export interface RunNode extends NodeBase<'RUN'> {
  readonly command: CommandLine
  readonly mounts: readonly MountFlag[]
  readonly network: 'default' | 'none' | 'host' | undefined
  readonly security: 'sandbox' | 'insecure' | undefined
  readonly devices: readonly DeviceFlag[]
}

export interface CopyNode extends NodeBase<'COPY' | 'ADD'> {
  readonly sources: readonly string[]
  /** Heredoc sources: written to a file of the heredoc's name. */
  readonly contents: readonly Heredoc[]
  readonly dest: string
  readonly from: string | undefined
  readonly chown: string | undefined
  readonly chmod: string | undefined
  readonly link: boolean
  readonly parents: boolean
  readonly exclude: readonly string[]
  /** ADD only. */
  readonly checksum: string | undefined
  readonly keepGitDir: boolean | undefined
  readonly unpack: boolean | undefined
}
export interface CmdNode extends NodeBase<'CMD'> {
  readonly command: CommandLine
}
export interface EntrypointNode extends NodeBase<'ENTRYPOINT'> {
  readonly command: CommandLine
}
export interface HealthcheckNode extends NodeBase<'HEALTHCHECK'> {
  /** `['NONE']`, `['CMD', …]` or `['CMD-SHELL', text]`. */
  readonly test: readonly string[]
  readonly interval: number
  readonly timeout: number
  readonly startPeriod: number
  readonly startInterval: number
  readonly retries: number
}
export interface ExposeNode extends NodeBase<'EXPOSE'> {
  readonly ports: readonly string[]
}
export interface VolumeNode extends NodeBase<'VOLUME'> {
  readonly paths: readonly string[]
}
export interface UserNode extends NodeBase<'USER'> {
  readonly user: string
}
export interface WorkdirNode extends NodeBase<'WORKDIR'> {
  readonly path: string
}
export interface StopsignalNode extends NodeBase<'STOPSIGNAL'> {
  readonly signal: string
}
export interface ShellNode extends NodeBase<'SHELL'> {
  readonly shell: readonly string[]
}
export interface OnbuildNode extends NodeBase<'ONBUILD'> {
  /** What is kept in the image config: the instruction as written after ONBUILD, heredoc bodies included. */
  readonly expression: string
}
export interface MaintainerNode extends NodeBase<'MAINTAINER'> {
  readonly maintainer: string
}

export type InstructionNode =
  | FromNode
  | ArgNode
  | EnvNode
  | LabelNode
  | RunNode
  | CopyNode
  | CmdNode
  | EntrypointNode
  | HealthcheckNode
  | ExposeNode
  | VolumeNode
  | UserNode
  | WorkdirNode
  | StopsignalNode
  | ShellNode
  | OnbuildNode
  | MaintainerNode

/** FROM and what follows up to the next FROM. */
export interface Stage {
  readonly index: number
  readonly from: FromNode
  readonly instructions: readonly InstructionNode[]
}

/** A parsed file: ARGs before the first FROM, then the stages. */
export interface ParsedDockerfile {
  readonly dockerfile: import('../dockerfile/ast.ts').Dockerfile
  readonly globalArgs: readonly ArgNode[]
  readonly stages: readonly Stage[]
}
