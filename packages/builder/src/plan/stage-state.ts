/**
 * What a stage has become after each of its instructions: the root filesystem so far, the image config, the environment.
 * The functions of plan/instructions/ change it, one instruction at a time; nothing else does.
 */
import { posix } from 'node:path'
import type { Platform } from '@tsbuild/registry-client'
import type { RawInstruction } from '../dockerfile/ast.ts'
import { type ContainerConfig, DEFAULT_PATH, type ImageConfig } from '../graph/image-config.ts'
import type { RootfsStep } from '../graph/step.ts'
import { EnvList, splitEnv } from './env-list.ts'
import type { Expander } from './expander.ts'

/** The comment BuildKit's frontend leaves in history entries. */
const HISTORY_COMMENT = 'buildkit.dockerfile.v0'

/** A build argument as it stands in RUN's history: the value is looked up when RUN is reached. */
export interface DeclaredArg {
  readonly key: string
  readonly value: string | undefined
}

export class StageState {
  readonly platform: Platform
  readonly expander: Expander
  rootfs: RootfsStep | undefined
  image: ImageConfig
  env: EnvList
  readonly args: DeclaredArg[]
  cmdSet = false

  constructor(init: {
    platform: Platform
    expander: Expander
    rootfs: RootfsStep | undefined
    image: ImageConfig
    args: readonly DeclaredArg[]
  }) {
    this.platform = init.platform
    this.expander = init.expander
    this.rootfs = init.rootfs
    this.image = structuredClone(init.image)
    this.args = [...init.args]
    const env = this.config.Env ?? []
    if (this.platform.os !== 'windows' && !env.some((e) => splitEnv(e)[0] === 'PATH'))
      this.config.Env = [...env, DEFAULT_PATH]
    this.env = new EnvList((this.config.Env ?? []).map(splitEnv))
  }

  get config(): ContainerConfig {
    this.image.config ??= {}
    return this.image.config
  }

  /** The working directory with forward slashes; `/` where the image has none. */
  get cwd(): string {
    return toSlash(this.config.WorkingDir ?? '', this.platform.os) || '/'
  }

  /** Replaces variables and removes quotes. */
  expand(word: string, raw: RawInstruction): string {
    return this.expander.word(word, this.env, raw)
  }

  /** Records what an instruction did. */
  commit(createdBy: string, what: { layer: boolean; buildkit?: boolean }): void {
    this.image.history = [
      ...(this.image.history ?? []),
      {
        created_by: createdBy + (what.buildkit ? ' # buildkit' : ''),
        comment: HISTORY_COMMENT,
        ...(what.layer ? {} : { empty_layer: true }),
      },
    ]
  }

  /** The shell in front of shell-form commands. */
  get shell(): readonly string[] {
    const own = this.config.Shell
    if (own !== undefined && own.length > 0) return own
    return this.platform.os === 'windows' ? ['cmd', '/S', '/C'] : ['/bin/sh', '-c']
  }
}

/** Windows paths with forward slashes and without a drive letter; others as they are. */
export function toSlash(path: string, os: string): string {
  return os === 'windows' ? path.replaceAll('\\', '/').replace(/^[A-Za-z]:/, '') : path
}

/** `path` seen from `base`, cleaned; a trailing slash (or `/.`) is kept as a slash when `keepSlash` is set. */
export function resolvePath(base: string, path: string, keepSlash: boolean): string {
  const absolute = path.startsWith('/') ? posix.normalize(path) : posix.join('/', base, path)
  const clean = absolute.length > 1 && absolute.endsWith('/') ? absolute.slice(0, -1) : absolute
  const wantsSlash = keepSlash && (path.endsWith('/') || path.endsWith('/.') || path === '.' || path === '')
  return wantsSlash && clean !== '/' ? `${clean}/` : clean
}
