/**
 * The image config: OCI image-spec `config.md` plus the fields of the Docker image spec that builders write.
 * Other fields of a base image do not get into what is built on it.
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
}

/** PATH of images that have none, as the reference sets it. */
export const DEFAULT_PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

const imageFields = [
  'created',
  'author',
  'architecture',
  'variant',
  'os',
  'os.version',
  'os.features',
  'config',
  'rootfs',
  'history',
]
const configFields = [
  ...['User', 'ExposedPorts', 'Env', 'Entrypoint', 'Cmd', 'Volumes', 'WorkingDir', 'Labels', 'StopSignal'],
  ...['ArgsEscaped', 'Healthcheck', 'OnBuild', 'Shell'],
]
const healthFields = ['Test', 'Interval', 'Timeout', 'StartPeriod', 'StartInterval', 'Retries']
const historyFields = ['created', 'created_by', 'author', 'comment', 'empty_layer']

/** A base image's config without the fields that nobody here knows, as the reference reads it. */
export function knownFields(image: ImageConfig): ImageConfig {
  const { config, history, ...rest } = pick(image, imageFields)
  const known = config && pick(config, configFields)
  if (known?.Healthcheck) known.Healthcheck = pick(known.Healthcheck, healthFields)
  return {
    ...rest,
    ...(known && { config: known }),
    ...(history && { history: history.map((entry) => pick(entry, historyFields)) }),
  }
}

function pick<T extends object>(from: T, names: readonly string[]): T {
  return Object.fromEntries(Object.entries(from).filter(([name]) => names.includes(name))) as T
}
