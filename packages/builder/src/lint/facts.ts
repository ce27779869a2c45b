/** What the checks are told of the world, and what they find out about the file on their way. */
import type { Platform } from '@tsbuild/registry-client'
import type { RawInstruction } from '../dockerfile/ast.ts'
import type { BuildError } from '../errors.ts'
import type { Location } from '../source.ts'
import type { IgnoredFiles } from './rules/copy-ignored-file.ts'

/** The part of a base image's config that the checks read. */
export interface BaseImage {
  readonly os: string
  readonly architecture: string
  readonly variant?: string
  readonly 'os.version'?: string
  readonly config?: {
    readonly Env?: readonly string[]
    readonly Shell?: readonly string[]
    readonly Entrypoint?: readonly string[] | null
    readonly OnBuild?: readonly string[] | null
  }
  readonly rootfs?: { readonly diff_ids: readonly string[] }
}

/** What a name stands for that a named context replaces; a file tree has no config. */
export type NamedBase = { readonly kind: 'image'; readonly image: BaseImage } | { readonly kind: 'tree' | 'scratch' }

/** The world of one run of the checks. */
export interface LintWorld {
  /** `--build-arg`. */
  readonly buildArgs: ReadonlyMap<string, string>
  /** `--target`. */
  readonly target?: string | undefined
  /** Look at every stage, not only at those that the target needs: what a check without target does. */
  readonly allStages: boolean
  readonly platform: Platform
  readonly buildPlatform: Platform
  /**
   * The config of a base image; rejects with a BuildError if there is no such image. Without it, or when it gives
   * undefined, variables that may come from the image are not reported.
   */
  readonly resolveImage?: (name: string, platform: Platform, at: Location) => Promise<BaseImage | undefined>
  readonly namedContext?: (name: string, platform: Platform) => Promise<NamedBase | undefined>
  /** The context's ignore file, undefined if it has none; asked for if the file copies from the context. */
  readonly ignored?: () => Promise<IgnoredFiles | undefined>
  readonly signal?: AbortSignal
}

/** An ARG as `--call=outline` shows it. */
export interface ArgFact {
  readonly name: string
  /** '' if it has none. */
  readonly value: string
  readonly at: RawInstruction
  /** Names of arguments that its default uses. */
  readonly uses: ReadonlySet<string>
}

/** A secret or an ssh agent that a RUN asks for. */
export interface MountFact {
  readonly id: string
  readonly required: boolean
  readonly at: RawInstruction
}

/** What is known of a stage after the checks went through it. */
export interface StageFacts {
  /** Number in the file; undefined for an image that `--from` names. */
  readonly index: number | undefined
  /** Arguments that ARG instructions of the stage define; the global ones are in {@link LintFacts}. */
  readonly ownArgs: ReadonlyMap<string, ArgFact>
  /** Names of arguments that its FROM line or its ARG instructions use. */
  readonly usedArgs: ReadonlySet<string>
  /** By id. */
  readonly secrets: ReadonlyMap<string, MountFact>
  readonly ssh: ReadonlyMap<string, MountFact>
  /** The stage it builds on. */
  readonly base: StageFacts | undefined
  /** Its base and the stages it takes files from. */
  readonly needs: readonly StageFacts[]
  /** It starts from nothing. */
  readonly scratch: boolean
  /** The config of the image it starts from, if that is known. */
  readonly image: BaseImage | undefined
}

/** What came of the checks. */
export interface LintFacts {
  /** In file order. */
  readonly stages: readonly StageFacts[]
  /** Arguments that stand before the first FROM. */
  readonly globalArgs: ReadonlyMap<string, ArgFact>
  /** The stage that is built; undefined if the checks stopped before it was found. */
  readonly target: StageFacts | undefined
  /** The file has an error, at which the checks stopped. */
  readonly stopped: boolean
  /** Why the checks stopped; undefined if they did not, or if planning says why. */
  readonly error: BuildError | undefined
}
