/**
 * What a stage has become after each of its instructions: the root filesystem so far, the image config, the environment.
 * The functions of plan/instructions/ change it, one instruction at a time; nothing else does.
 *
 * A stage on top of another one shares what that one has gathered: neither a long stage nor many of them cost more than
 * their instructions.
 */
import type { Platform } from '@tsbuild/registry-client'
import type { RawInstruction } from '../dockerfile/ast.ts'
import { EnvList, ImageEnv, splitEnv } from '../graph/env-list.ts'
import {
  type ContainerConfig,
  DEFAULT_PATH,
  type HistoryEntry,
  type ImageConfig,
  knownFields,
} from '../graph/image-config.ts'
import type { RootfsStep } from '../graph/step.ts'
import type { Expander } from '../stages/expander.ts'
import { LayeredMap } from '../util/layered-map.ts'
import { toSlash, workdirPath } from './paths.ts'

/** The comment BuildKit's frontend leaves in history entries. */
const HISTORY_COMMENT = 'buildkit.dockerfile.v0'

/** The history, newest entry first: a stage on top of another one goes on from its end. */
interface HistoryEnd {
  readonly entry: HistoryEntry
  readonly before: HistoryEnd | undefined
}

export class StageState {
  readonly platform: Platform
  readonly expander: Expander
  rootfs: RootfsStep | undefined
  /** What stands beside the container's config and the history. */
  readonly image: ImageConfig
  /** Without Env, Labels, ExposedPorts, Volumes and OnBuild, which are gathered below. */
  readonly config: ContainerConfig
  readonly env: EnvList
  readonly imageEnv: ImageEnv
  readonly labels: LayeredMap<string>
  readonly ports: LayeredMap<true>
  readonly volumes: LayeredMap<true>
  /** ARGs so far with their values, '' for none; what has a value in the environment is looked up there. */
  readonly args: LayeredMap<string>
  readonly triggers: string[] = []
  cmdSet = false
  #history: HistoryEnd | undefined

  private constructor(
    init: Pick<
      StageState,
      | 'platform'
      | 'expander'
      | 'rootfs'
      | 'image'
      | 'config'
      | 'env'
      | 'imageEnv'
      | 'labels'
      | 'ports'
      | 'volumes'
      | 'args'
    >,
    history: HistoryEnd | undefined,
  ) {
    this.platform = init.platform
    this.expander = init.expander
    this.rootfs = init.rootfs
    this.image = init.image
    this.config = init.config
    this.env = init.env
    this.imageEnv = init.imageEnv
    this.labels = init.labels
    this.ports = init.ports
    this.volumes = init.volumes
    this.args = init.args
    this.#history = history
  }

  /** A stage that starts from an image; triggers in it are not carried on. */
  static of(base: ImageConfig, init: Pick<StageState, 'platform' | 'expander' | 'rootfs'>): StageState {
    const { history = [], config: runtime = {}, ...image } = knownFields(base)
    const { Env = [], Labels, ExposedPorts, Volumes, OnBuild: _, ...config } = runtime
    const hasPath = init.platform.os === 'windows' || Env.some((e) => splitEnv(e)[0] === 'PATH')
    const imageEnv = new ImageEnv(hasPath ? Env : [...Env, DEFAULT_PATH])
    let end: HistoryEnd | undefined
    for (const entry of history) end = { entry, before: end }
    const parts = {
      image,
      config,
      env: new EnvList([], undefined, imageEnv),
      imageEnv: new ImageEnv(imageEnv),
      labels: filled(Object.entries(Labels ?? {})),
      ports: filled<true>(Object.keys(ExposedPorts ?? {}).map((port) => [port, true])),
      volumes: filled<true>(Object.keys(Volumes ?? {}).map((path) => [path, true])),
      args: new LayeredMap<string>(),
    }
    const state = new StageState({ ...init, ...parts }, end)
    if (config.WorkingDir) state.setDirectory(config.WorkingDir)
    return state
  }

  /**
   * A stage that starts from this one, which must not change any more: it has its environment with its ARGs, of which
   * what the image keeps (ENV) counts first.
   */
  next(): StageState {
    const { platform, expander, rootfs, image, config } = this
    const parts = {
      image: { ...image },
      config: { ...config },
      env: new EnvList([], this.env, this.imageEnv),
      imageEnv: new ImageEnv(this.imageEnv),
      labels: new LayeredMap(this.labels),
      ports: new LayeredMap(this.ports),
      volumes: new LayeredMap(this.volumes),
      args: new LayeredMap(this.args),
    }
    return new StageState({ platform, expander, rootfs, ...parts }, this.#history)
  }

  /** The image as it is now. */
  toImage(): ImageConfig {
    const history: HistoryEntry[] = []
    for (let end = this.#history; end !== undefined; end = end.before) history.push(end.entry)
    const { imageEnv, labels, ports, volumes, triggers } = this
    const config: ContainerConfig = {
      ...this.config,
      ...(imageEnv.size > 0 && { Env: imageEnv.toArray() }),
      ...(labels.size > 0 && { Labels: Object.fromEntries(labels.entries()) }),
      ...(ports.size > 0 && { ExposedPorts: emptyObjects(ports.keys()) }),
      ...(volumes.size > 0 && { Volumes: emptyObjects(volumes.keys()) }),
      ...(triggers.length > 0 && { OnBuild: triggers }),
    }
    return { ...this.image, config, history: history.reverse() } as ImageConfig
  }

  /** The working directory with forward slashes; `/` where the image has none. */
  get cwd(): string {
    return toSlash(this.config.WorkingDir ?? '', this.platform.os) || '/'
  }

  /** Changes the working directory; relative paths count from the last one. @returns it with forward slashes */
  setDirectory(path: string): string {
    const { os } = this.platform
    const directory = workdirPath(this.config.WorkingDir ?? '', path, os)
    this.config.WorkingDir = os === 'windows' ? directory.replaceAll('/', '\\') : directory
    return directory
  }

  /** Replaces variables and removes quotes. */
  expand(word: string, raw: RawInstruction): string {
    return this.expander.word(word, this.env, raw)
  }

  /** Records what an instruction did. */
  commit(createdBy: string, what: { layer: boolean; buildkit?: boolean }): void {
    const entry = {
      created_by: createdBy + (what.buildkit ? ' # buildkit' : ''),
      comment: HISTORY_COMMENT,
      ...(what.layer ? {} : { empty_layer: true }),
    }
    this.#history = { entry, before: this.#history }
  }

  /** The shell in front of shell-form commands. */
  get shell(): readonly string[] {
    const own = this.config.Shell
    if (own !== undefined && own.length > 0) return own
    return this.image.os === 'windows' ? ['cmd', '/S', '/C'] : ['/bin/sh', '-c']
  }
}

function filled<V>(entries: readonly (readonly [string, V])[]): LayeredMap<V> {
  const map = new LayeredMap<V>()
  for (const [name, value] of entries) map.set(name, value)
  return map
}

function emptyObjects(names: Iterable<string>): Record<string, object> {
  return Object.fromEntries(Array.from(names, (name) => [name, {}]))
}
