/**
 * The options of the library's calls; results.ts has what they give. The CLI's flags map onto these one to one.
 */
import type { BuildError } from './errors.ts'
import type { ProgressListener } from './progress.ts'
import type { ResourceLimits, Ulimit } from './sandbox/executor.ts'
import type { Isolation } from './sandbox/select.ts'
import type { Console } from './util/console.ts'

export type { Console }

/**
 * A path of this machine, or a `file:` URL. Relative paths count from {@link DockerfileOptions.cwd} at the time of the
 * call; what the process does to its directory later changes nothing.
 */
export type Place = string | URL

/** A secret by id: a file, an environment variable of the caller, a value, or a function asked when a RUN needs it. */
export type SecretSource<P extends Place = string> =
  | { readonly id: string; readonly src: P }
  | { readonly id: string; readonly env: string }
  | { readonly id: string; readonly value: string | Uint8Array }
  | { readonly id: string; readonly get: (signal: AbortSignal) => Promise<string | Uint8Array> }

/** An agent socket or key files offered to `RUN --mount=type=ssh` and to git over ssh. */
export interface SshSource<P extends Place = string> {
  /** What the mount names as its id; `default` when it names none. */
  readonly id: string
  /** The socket of an agent, or private key files; none: the agent at `$SSH_AUTH_SOCK`. */
  readonly paths: readonly P[]
}

/** One `--output`. Unknown attributes are an error. `dest: '-'` needs `stdout` in {@link BuildOptions}. */
export interface OutputSpec<P extends Place = string> {
  readonly type: 'oci' | 'docker' | 'tar' | 'local' | 'image' | 'registry' | 'cacheonly'
  /** Attributes as written: `dest`, `name`, `push`, `tar`, `compression`, `rewrite-timestamp` … */
  readonly attrs: Readonly<Record<string, string | P>>
}

/**
 * One `--cache-from` or `--cache-to`. Unknown attributes are an error.
 *
 * @example
 * { type: 'registry', attrs: { ref: 'example.com/app:cache', mode: 'max' } }
 */
export interface CacheSpec<P extends Place = string> {
  readonly type: 'registry' | 'local' | 'inline' | 'gha' | 's3' | 'azblob'
  /** Attributes as written: `ref`, `src`, `dest`, `mode`, `ignore-error` … */
  readonly attrs: Readonly<Record<string, string | P>>
}

/** Options every call that reads a Dockerfile shares. */
export interface DockerfileOptions<P extends Place = string> {
  /** Directory, `-` (tar or Dockerfile on `stdin`), git URL, http(s) URL of a tarball or Dockerfile; default the current directory. */
  readonly context?: P
  /** Path of the Dockerfile, `-` for `stdin`; default `Dockerfile` in the context. In a context that is fetched: a path in it. */
  readonly dockerfile?: P
  /** The Dockerfile's text itself, in place of `dockerfile`. */
  readonly dockerfileText?: string
  /** Values of ARG by name. */
  readonly buildArgs?: Readonly<Record<string, string>>
  /** The stage to build; default the last one. */
  readonly target?: string
  /** `os/arch[/variant]`; default: the machine's, with os linux. */
  readonly platforms?: readonly string[]
  /** Named contexts: name → directory, docker-image://REF, oci-layout://DIR[:tag|@digest], git or http URL, target:STAGE. */
  readonly buildContexts?: Readonly<Record<string, P>>
  /** For RUN; those named GIT_AUTH_TOKEN, GIT_AUTH_HEADER (or `GIT_AUTH_TOKEN.HOST` …) for git repositories. */
  readonly secrets?: readonly SecretSource<P>[]
  /** For RUN; the one named `default` for git repositories over ssh, which use nothing else. */
  readonly ssh?: readonly SshSource<P>[]
  /** Files with the keys of ssh hosts; default ~/.ssh/known_hosts and /etc/ssh/ssh_known_hosts. */
  readonly sshKnownHosts?: readonly P[]
  /** Read when `context` or `dockerfile` is `-`. */
  readonly stdin?: NodeJS.ReadableStream
  /** Ends the call with the code CANCELLED. */
  readonly signal?: AbortSignal
  /** Is told what happens, while it happens. When it throws, the call ends with CALLBACK_FAILED, whose cause is what it threw. */
  readonly onProgress?: ProgressListener
  /** Directory that relative paths of these options count from; default the current one at the time of the call. */
  readonly cwd?: P
  /** Where state is kept; default $TSBUILD_ROOT, else $XDG_DATA_HOME/tsbuild. */
  readonly root?: P
  /** `HOST` → one or more `HOST[/PATH]`: where images of a registry are looked for first, in this order. */
  readonly mirrors?: Readonly<Record<string, string | readonly string[]>>
  /** Images of a registry that has mirrors are taken from these alone. */
  readonly mirrorsOnly?: boolean
  /** Files with certificate authorities that registries are trusted with, beside Node's and the system's, in PEM. */
  readonly caFiles?: readonly P[]
  /** `HOST[:PORT]` of registries whose certificate is not checked, and which may speak plain http. */
  readonly insecureRegistries?: readonly string[]
  /** Base images are read as from {@link DockerfileOptions.insecureRegistries}, whatever registry they are in. */
  readonly insecurePull?: boolean
  /** Ask registries for newer base images even when the store has some. */
  readonly pull?: boolean
  /**
   * The lock file whose digests and commits are used where the Dockerfile leaves them open; false: none. Default: the one
   * beside the Dockerfile, if there is one. Only {@link build} and {@link lock} look at it.
   */
  readonly lock?: P | false
  /** Directory of the docker config file; default $DOCKER_CONFIG, else ~/.docker. */
  readonly dockerConfig?: P
  /** Environment the option resolver reads; default process.env. */
  readonly env?: Readonly<Record<string, string | undefined>>
}

/** Options of {@link build}. */
export interface BuildOptions<P extends Place = string> extends DockerfileOptions<P> {
  /** Names of the image: `NAME[:TAG]`. */
  readonly tags?: readonly string[]
  /** Labels of the image, beside those of the Dockerfile. */
  readonly labels?: Readonly<Record<string, string>>
  /** `[TYPE[PLATFORM],…:]KEY=VALUE`, as `--annotation` takes them. */
  readonly annotations?: readonly string[]
  /** Where the result goes; default the local store where there are tags. */
  readonly outputs?: readonly OutputSpec<P>[]
  /** Refuse what the lock file does not have; default where $CI is set and there is a lock file. */
  readonly locked?: boolean
  /** Run every step again. */
  readonly noCache?: boolean
  /** Stages whose steps are not taken from the cache. */
  readonly noCacheFilter?: readonly string[]
  /** Network of RUN where the Dockerfile names none. */
  readonly network?: 'default' | 'none' | 'host' | 'isolated'
  /** `NAME:ADDRESS`: lines of /etc/hosts of RUN. */
  readonly addHosts?: readonly string[]
  /** Addresses of name servers in /etc/resolv.conf of RUN; default the machine's. */
  readonly dns?: readonly string[]
  /** Entitlements: `network.host`, `security.insecure`. */
  readonly allow?: readonly string[]
  /** Bytes of /dev/shm; default 64 MiB. */
  readonly shmSize?: number
  /** Limits of each process of RUN. */
  readonly ulimits?: readonly Ulimit[]
  /** Limits of all processes of a RUN together. */
  readonly resources?: ResourceLimits
  /** Cgroup below which those of RUN are made. */
  readonly cgroupParent?: string
  /** How RUN is isolated; default `auto`, the best that the machine allows. */
  readonly isolation?: Isolation
  /** Name or path of the runtime of `isolation: 'oci'`; default runc, crun or youki, whichever is found. */
  readonly ociRuntime?: P
  /** Files that a secret was found in do not fail the build. */
  readonly allowSecretsInLayers?: boolean
  /** Milliseconds each RUN may take. */
  readonly runTimeout?: number
  /** How often a failed RUN is tried again, each time from a clean snapshot. */
  readonly runRetries?: number
  /** What to do with a failed RUN's root filesystem; `shell` needs `openConsole`. `keep` is for {@link debug}. */
  readonly onError?: 'fail' | 'keep' | 'shell'
  /**
   * Gives the terminal to a shell where a RUN has failed; called once at most. Nothing else should write to it until the
   * build has ended.
   */
  readonly openConsole?: (failure: BuildError) => Promise<Omit<Console, 'tty'>> | Omit<Console, 'tty'>
  /** `local` or `tar` with `dest`, `src` (a directory, default `/`) and `stage`: saves files of a failed RUN. */
  readonly outputOnFailure?: OutputSpec<P>
  /** Says of each step that runs why it was not in the cache, as `explained` events. The result always has it. */
  readonly explain?: boolean
  /** Attestations as `--attest` names them: `type=provenance,mode=max`. */
  readonly attests?: readonly string[]
  /** Shared caches: what the store does not have of a step is looked for there. One that fails costs a warning. */
  readonly cacheFrom?: readonly CacheSpec<P>[]
  /**
   * Where the results of the steps are shared when all have succeeded: those whose layers are in the image with these
   * (`mode=min`, the default), or all (`mode=max`). That it fails is the build's failure unless `ignore-error` is `true`.
   */
  readonly cacheTo?: readonly CacheSpec<P>[]
  /** Receives an output whose dest is `-`. */
  readonly stdout?: NodeJS.WritableStream
}

/** A file or directory of this machine that a process sees. */
export interface Volume<P extends Place = string> {
  /** Path on this machine. */
  readonly source: P
  /** Absolute path in the image. */
  readonly target: string
  /** The process cannot write there; default false. */
  readonly readonly?: boolean
}

/** An empty directory in memory. */
export interface TmpfsVolume {
  /** Absolute path in the image. */
  readonly target: string
  /** Bytes; default half of the memory. */
  readonly size?: number
  /** Default 0o1777. */
  readonly mode?: number
  /** Whether programs on it can be executed; default false, as docker has it. */
  readonly exec?: boolean
}

/** Options of {@link runImage}; what is not given is as the image says. */
export interface RunImageOptions<P extends Place = string>
  extends Pick<
      DockerfileOptions<P>,
      'signal' | 'onProgress' | 'cwd' | 'root' | 'mirrors' | 'caFiles' | 'insecureRegistries' | 'dockerConfig' | 'env'
    >,
    Pick<
      BuildOptions<P>,
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
  /** Files and directories of this machine. */
  readonly volumes?: readonly Volume<P>[]
  /** Directories in memory. */
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
  /** `USER[:GROUP]`, by name or number. */
  readonly user?: string
  /** Absolute path of the directory that the process starts in. */
  readonly workdir?: string
  /** Default: random. */
  readonly hostname?: string
  /** `os/arch[/variant]` of an image for several. */
  readonly platform?: string
  /** A pseudo terminal; `stdin` is switched to raw mode meanwhile if it is a terminal. */
  readonly tty?: boolean
  /** What the process reads; default: nothing. */
  readonly stdin?: Console['stdin']
  /** What the process prints; on a terminal all of it. */
  readonly stdout: Console['stdout']
  readonly stderr: Console['stderr']
}

/** Where the store is. */
export interface StoreOptions<P extends Place = string> {
  /** Directory that a relative `root` counts from; default the current one at the time of the call. */
  readonly cwd?: P | undefined
  /** Where state is kept; default $TSBUILD_ROOT, else $XDG_DATA_HOME/tsbuild. */
  readonly root?: P | undefined
  /** Environment that the default is read from; default process.env. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined
}

/** Options of {@link explain}: which build. Nothing named: the latest of all. */
export interface ExplainOptions<P extends Place = string> extends StoreOptions<P> {
  readonly context?: P | undefined
  readonly dockerfile?: P | undefined
  readonly target?: string | undefined
}

/** Options of {@link openImages}. */
export interface OpenOptions<P extends Place = string> extends StoreOptions<P> {
  /** Only to look: nothing is made or changed, so the store may be one that cannot be written. */
  readonly readOnly?: boolean | undefined
}

/** Options of {@link diagnose}. */
export interface DiagnoseOptions<P extends Place = string> extends StoreOptions<P> {
  /** What to try; default `auto`. */
  readonly isolation?: Isolation | undefined
  /** Name or path of the runtime of `isolation: 'oci'`. */
  readonly ociRuntime?: P | undefined
  /** Ends the call. */
  readonly signal?: AbortSignal | undefined
}

/** Options of {@link debug}. */
export interface DebugOptions<P extends Place = string> extends StoreOptions<P> {
  /** The name of what is kept, or the beginning of one. */
  readonly name: string
  /** What to run; default the shell of the failed RUN. */
  readonly command?: readonly string[] | undefined
  /** What the process is connected to. */
  readonly console: Console
  /** How it is isolated; default `auto`. */
  readonly isolation?: Isolation | undefined
  /** Name or path of the runtime of `isolation: 'oci'`. */
  readonly ociRuntime?: P | undefined
  /** Kills the process. */
  readonly signal?: AbortSignal | undefined
}
