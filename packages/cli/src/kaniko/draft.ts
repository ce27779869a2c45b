/** A command line of kaniko while its flags are read: each flag's row writes into it. */
import type { SecretSource } from '@tsbuild/builder'
import type { Environment } from '../io.ts'

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'warning', 'error', 'fatal', 'panic'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

export const LOG_FORMATS = ['text', 'color', 'json'] as const
export type LogFormat = (typeof LOG_FORMATS)[number]

/** What is logged, and how. */
export interface LogSettings {
  readonly level: LogLevel
  readonly format: LogFormat
  readonly timestamp: boolean
}

/** Files that are told what the build came to. */
export interface ResultFiles {
  digest?: string
  /** `NAME@DIGEST` of each destination. */
  name?: string
  /** `NAME:TAG@DIGEST` of each destination. */
  nameAndTag?: string
}

export interface KanikoDraft {
  readonly env: Environment
  context: string
  subPath: string | undefined
  gitBranch: string | undefined
  gitSubmodules: boolean | undefined
  dockerfile: string
  destinations: readonly string[]
  buildArgs: Record<string, string>
  labels: Record<string, string>
  annotations: readonly string[]
  secrets: readonly SecretSource[]
  target: string | undefined
  platform: string | undefined
  noPush: boolean
  tarPath: string | undefined
  ociLayout: string | undefined
  readonly files: ResultFiles
  compression: string | undefined
  compressionLevel: string | undefined
  imageFormat: string | undefined
  reproducible: boolean
  cache: boolean
  cacheRepo: string | undefined
  noPushCache: boolean
  insecurePush: boolean
  insecurePull: boolean
  insecureRegistries: readonly string[]
  caFiles: readonly string[]
  /** In the order in which they are tried. */
  mirrors: readonly (readonly [registry: string, mirror: string])[]
  mirrorsOnly: boolean
  kanikoDir: string | undefined
  log: LogSettings
  /** What has no effect, and why; said at verbosity debug. */
  readonly notes: string[]
}

/** kaniko's defaults. */
export function newDraft(env: Environment): KanikoDraft {
  return {
    env,
    context: '/workspace/',
    subPath: undefined,
    gitBranch: undefined,
    gitSubmodules: undefined,
    dockerfile: 'Dockerfile',
    destinations: [],
    buildArgs: {},
    labels: {},
    annotations: [],
    secrets: [],
    target: undefined,
    platform: undefined,
    noPush: false,
    tarPath: undefined,
    ociLayout: undefined,
    files: {},
    compression: undefined,
    compressionLevel: undefined,
    imageFormat: undefined,
    reproducible: false,
    cache: false,
    cacheRepo: undefined,
    noPushCache: false,
    insecurePush: false,
    insecurePull: false,
    insecureRegistries: [],
    caFiles: [],
    mirrors: [],
    mirrorsOnly: false,
    kanikoDir: undefined,
    log: { level: 'info', format: 'color', timestamp: false },
    notes: [],
  }
}
