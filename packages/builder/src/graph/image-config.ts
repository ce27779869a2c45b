/**
 * The image config: OCI image-spec `config.md` plus the fields of the Docker image spec that builders write.
 * Unknown fields of a base image are kept.
 */
export interface HealthcheckConfig {
  Test?: string[]
  /** Nanoseconds. */
  Interval?: number
  Timeout?: number
  StartPeriod?: number
  StartInterval?: number
  Retries?: number
}

/** The `config` object: how a container of the image runs. */
export interface ContainerConfig {
  User?: string
  ExposedPorts?: Record<string, object>
  Env?: string[]
  Entrypoint?: string[] | null
  Cmd?: string[] | null
  Volumes?: Record<string, object>
  WorkingDir?: string
  Labels?: Record<string, string>
  StopSignal?: string
  ArgsEscaped?: boolean
  Healthcheck?: HealthcheckConfig
  OnBuild?: string[] | null
  Shell?: string[]
  [other: string]: unknown
}

export interface HistoryEntry {
  created?: string
  created_by?: string
  author?: string
  comment?: string
  empty_layer?: boolean
}

export interface ImageConfig {
  created?: string
  author?: string
  architecture: string
  variant?: string
  os: string
  'os.version'?: string
  'os.features'?: string[]
  config?: ContainerConfig
  rootfs: { type: 'layers'; diff_ids: string[] }
  history?: HistoryEntry[]
  [other: string]: unknown
}

/** PATH of images that have none, as the reference sets it. */
export const DEFAULT_PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
