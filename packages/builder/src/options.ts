/**
 * The options and results of the library's calls. The CLI's flags map onto these one to one.
 */
import type { Descriptor, Platform } from '@tsbuild/registry-client'
import type { BuildError } from './errors.ts'
import type { BuildWarning, ProgressListener } from './progress.ts'
import type { ResourceLimits, Ulimit } from './sandbox/executor.ts'
import type { Console } from './util/console.ts'

export type { Console }

/** A secret by id: a file, an environment variable of the caller, a value, or a function asked when a RUN needs it. */
export type SecretSource =
  | { readonly id: string; readonly src: string }
  | { readonly id: string; readonly env: string }
  | { readonly id: string; readonly value: string | Uint8Array }
  | { readonly id: string; readonly get: (signal: AbortSignal) => Promise<string | Uint8Array> }

/** An agent socket or key files offered to `RUN --mount=type=ssh`. Without paths: the agent at $SSH_AUTH_SOCK. */
export interface SshSource {
  /** `default` when the flag names none. */
  readonly id: string
  readonly paths: readonly string[]
}

/** One `--output`. Unknown attributes are an error. `dest: '-'` needs `stdout` in {@link BuildOptions}. */
export interface OutputSpec {
  readonly type: 'oci' | 'docker' | 'tar' | 'local' | 'image' | 'registry' | 'cacheonly'
  /** Attributes as written: `dest`, `name`, `push`, `tar`, `compression`, `rewrite-timestamp` … */
  readonly attrs: Readonly<Record<string, string>>
}

/** One `--cache-from` / `--cache-to`. */
export interface CacheSpec {
  readonly type: string
  readonly attrs: Readonly<Record<string, string>>
}

/** Options every call that reads a Dockerfile shares. */
export interface DockerfileOptions {
  /** Directory, `-` (tar or Dockerfile on `stdin`), git URL, http(s) URL of a tarball or Dockerfile, oci-layout:// … */
  readonly context?: string
  /** Path of the Dockerfile (relative to the current directory), `-` for `stdin`; default `Dockerfile` in the context. */
  readonly dockerfile?: string
  /** The Dockerfile's text itself, in place of `dockerfile`. */
  readonly dockerfileText?: string
  readonly buildArgs?: Readonly<Record<string, string>>
  readonly target?: string
  /** `os/arch[/variant]`; default: the machine's, with os linux. */
  readonly platforms?: readonly string[]
  /** Named contexts: name → directory, docker-image://REF, oci-layout://DIR[:tag|@digest], git or http URL, target:STAGE. */
  readonly buildContexts?: Readonly<Record<string, string>>
  /** Read when `context` or `dockerfile` is `-`. */
  readonly stdin?: NodeJS.ReadableStream
  readonly signal?: AbortSignal
  readonly onProgress?: ProgressListener
  /** Where state is kept; default $TSBUILD_ROOT, else $XDG_DATA_HOME/tsbuild. */
  readonly root?: string
  /** `HOST` → `HOST[/PATH]`: where images of a registry are looked for first. */
  readonly mirrors?: Readonly<Record<string, string>>
  readonly pull?: boolean
  /** Directory of the docker config file; default $DOCKER_CONFIG, else ~/.docker. */
  readonly dockerConfig?: string
  /** Environment the option resolver reads; default process.env. */
  readonly env?: Readonly<Record<string, string | undefined>>
}

export interface BuildOptions extends DockerfileOptions {
  readonly tags?: readonly string[]
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: readonly string[]
  readonly outputs?: readonly OutputSpec[]
  readonly noCache?: boolean
  /** Stages whose steps are not taken from the cache. */
  readonly noCacheFilter?: readonly string[]
  readonly network?: 'default' | 'none' | 'host' | 'isolated'
  readonly addHosts?: readonly string[]
  readonly dns?: readonly string[]
  readonly secrets?: readonly SecretSource[]
  readonly ssh?: readonly SshSource[]
  /** Entitlements: `network.host`, `security.insecure`. */
  readonly allow?: readonly string[]
  readonly shmSize?: number
  readonly ulimits?: readonly Ulimit[]
  readonly resources?: ResourceLimits
  readonly cgroupParent?: string
  readonly isolation?: 'auto' | 'namespaces' | 'oci' | 'chroot'
  readonly ociRuntime?: string
  /** Files that a secret was found in do not fail the build. */
  readonly allowSecretsInLayers?: boolean
  /** Milliseconds each RUN may take. */
  readonly runTimeout?: number
  readonly runRetries?: number
  /** What to do with a failed RUN's root filesystem; `shell` needs `openConsole`. `keep` is for {@link debug}. */
  readonly onError?: 'fail' | 'keep' | 'shell'
  /**
   * Gives the terminal to a shell where a RUN has failed; called once at most. Nothing else should write to it until the
   * build has ended.
   */
  readonly openConsole?: (failure: BuildError) => Promise<Omit<Console, 'tty'>> | Omit<Console, 'tty'>
  /** `local` or `tar` with `dest`, `src` (a directory, default `/`) and `stage`: saves files of a failed RUN. */
  readonly outputOnFailure?: OutputSpec
  /** Attestations as `--attest` names them: `type=provenance,mode=max`. */
  readonly attests?: readonly string[]
  readonly cacheFrom?: readonly CacheSpec[]
  readonly cacheTo?: readonly CacheSpec[]
  /** Receives an output whose dest is `-`. */
  readonly stdout?: NodeJS.WritableStream
}

/** A file or directory of this machine that a process sees. */
export interface Volume {
  /** Relative to the current directory. */
  readonly source: string
  readonly target: string
  readonly readonly?: boolean
}

/** An empty directory in memory. */
export interface TmpfsVolume {
  readonly target: string
  /** Bytes; default half of the memory. */
  readonly size?: number
  /** Default 0o1777. */
  readonly mode?: number
  /** Whether programs on it can be executed; default false, as docker has it. */
  readonly exec?: boolean
}

/** Options of {@link runImage}; what is not given is as the image says. */
export interface RunImageOptions
  extends Pick<DockerfileOptions, 'signal' | 'onProgress' | 'root' | 'mirrors' | 'dockerConfig' | 'env'>,
    Pick<
      BuildOptions,
      'addHosts' | 'dns' | 'shmSize' | 'ulimits' | 'resources' | 'cgroupParent' | 'isolation' | 'ociRuntime'
    > {
  /** A name, an id or the beginning of one. */
  readonly image: string
  /** When the registry is asked: always, when the store does not have the image (the default), never. */
  readonly pull?: 'always' | 'missing' | 'never'
  /** Takes the place of CMD. */
  readonly command?: readonly string[]
  /** Takes the place of ENTRYPOINT, and of CMD. */
  readonly entrypoint?: readonly string[]
  /** `NAME=value` of the process. */
  readonly variables?: readonly string[]
  readonly volumes?: readonly Volume[]
  readonly tmpfs?: readonly TmpfsVolume[]
  /** The root filesystem cannot be written; volumes can. */
  readonly readonlyRoot?: boolean
  /** Capabilities beyond docker's default set, such as `NET_ADMIN`, or `ALL`. */
  readonly capAdd?: readonly string[]
  /** Capabilities to take away, or `ALL`. */
  readonly capDrop?: readonly string[]
  /** Further groups of the process, by name or number. */
  readonly groups?: readonly string[]
  /** Process 1 is one of ours, which collects orphans, and the program is process 2. */
  readonly init?: boolean
  /** Default `host`: a tool without a daemon has no network of its own. */
  readonly network?: 'host' | 'none' | 'isolated'
  readonly user?: string
  readonly workdir?: string
  readonly hostname?: string
  /** `os/arch[/variant]` of an image for several. */
  readonly platform?: string
  /** A pseudo terminal; `stdin` is switched to raw mode meanwhile if it is a terminal. */
  readonly tty?: boolean
  /** What the process reads; default: nothing. */
  readonly stdin?: Console['stdin']
  readonly stdout: Console['stdout']
  readonly stderr: Console['stderr']
}

/** The end of a process. */
export interface RunImageResult {
  /** 128 + signal number when a signal ended it. */
  readonly exitCode: number
  readonly signal: string | undefined
  /** It was ended for using more memory than it may. */
  readonly oomKilled: boolean
  /** Bytes; undefined when it succeeded or nobody counted. */
  readonly peakMemory: number | undefined
}

/** What one exporter made. */
export interface OutputResult {
  readonly type: OutputSpec['type']
  /** File or directory written; undefined for a registry, the store or stdout. */
  readonly dest?: string
  /** Names pushed or stored, with their digest. */
  readonly names?: readonly string[]
}

export interface PlatformResult {
  readonly platform: Platform
  /** Descriptor of the image manifest. */
  readonly manifest: Descriptor
  readonly config: Descriptor
  readonly layers: readonly Descriptor[]
  readonly diffIDs: readonly string[]
}

export interface BuildResult {
  /** What the tags point at: the manifest of the only platform, else the index. */
  readonly descriptor: Descriptor
  readonly digest: string
  readonly platforms: readonly PlatformResult[]
  readonly outputs: readonly OutputResult[]
  readonly warnings: readonly BuildWarning[]
  /** Steps that ran and steps taken from the cache. */
  readonly steps: { readonly total: number; readonly cached: number }
  /** As docker buildx writes with --metadata-file. */
  readonly metadata: Readonly<Record<string, unknown>>
}

/** A finding of {@link check}, as the reference's `--call=check,format=json` prints it. */
export interface CheckResult {
  readonly warnings: readonly BuildWarning[]
  /** An error of the Dockerfile that would fail the build. */
  readonly error?: { readonly message: string; readonly at?: import('./source.ts').Location }
  /** true when `# check=error=true` turns the warnings into a failure. */
  readonly failed: boolean
  /** The JSON document the reference prints. */
  readonly json: unknown
}

/** What {@link outline} and {@link targets} return: the JSON document the reference prints, plus its data typed. */
export interface CallResult {
  readonly json: unknown
  /** The text the reference prints by default. */
  readonly text: string
}
