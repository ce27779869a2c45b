/** The image config's bytes: key order and times as the reference writes them. */
import type { ContainerConfig, HistoryEntry, ImageConfig } from '../graph/image-config.ts'

/** Order of the fields of `config`; others follow in the order they came. */
const CONFIG_ORDER = [
  'Hostname',
  'Domainname',
  'User',
  'AttachStdin',
  'AttachStdout',
  'AttachStderr',
  'ExposedPorts',
  'Tty',
  'OpenStdin',
  'StdinOnce',
  'Env',
  'Entrypoint',
  'Cmd',
  'Image',
  'Volumes',
  'WorkingDir',
  'Labels',
  'StopSignal',
  'ArgsEscaped',
  'Healthcheck',
  'OnBuild',
  'Shell',
]

/** When the layers of an image were made, bottom first; undefined for layers whose time the base image's history holds. */
export type LayerTimes = readonly (number | undefined)[]

/** The times that go into a config; milliseconds. */
export interface ConfigTimes {
  /** One per layer of the image, bottom first; undefined for layers of the base image. */
  readonly layers: LayerTimes
  /** SOURCE_DATE_EPOCH of the build: the time of every new history entry. */
  readonly build: number | undefined
  /** SOURCE_DATE_EPOCH of the output: nothing is later, and the image was created then. */
  readonly output: number | undefined
  /** Used only for an image that has neither layers nor history. */
  readonly now: number
}

/**
 * Completes a config with its layers and times.
 *
 * @param descriptions what made each layer, for those that no history entry speaks of
 */
export function completeConfig(
  image: ImageConfig,
  diffIDs: readonly string[],
  times: ConfigTimes,
  descriptions: readonly string[],
): ImageConfig {
  const history = datedHistory([...(image.history ?? []), ...missingHistory(image.history ?? [], descriptions)], times)
  const known = history.flatMap((h) => (h.created === undefined ? [] : [Date.parse(h.created)]))
  const newest = known.length > 0 ? known.reduce((a, b) => Math.max(a, b)) : (times.build ?? times.now)
  return {
    ...image,
    created: isoTime(times.output ?? newest),
    history,
    rootfs: { type: 'layers', diff_ids: [...diffIDs] },
  }
}

/** Every layer has an entry: the reference adds them at the end for layers that have none, such as a directory used as a base. */
function missingHistory(history: readonly HistoryEntry[], descriptions: readonly string[]): HistoryEntry[] {
  const told = history.filter((entry) => !entry.empty_layer).length
  return descriptions.slice(told).map((text) => ({ created_by: text, comment: 'buildkit.exporter.image.v0' }))
}

/** Entries without a time get their layer's; those without a layer that of the entry before. */
function datedHistory(history: readonly HistoryEntry[], { layers, build, output }: ConfigTimes): HistoryEntry[] {
  const limit = output ?? Number.POSITIVE_INFINITY
  let layer = 0
  let last = build ?? layers.find((t) => t !== undefined)
  return history.map((entry) => {
    const own = entry.empty_layer ? undefined : layers[layer++]
    if (entry.created !== undefined)
      return Date.parse(entry.created) > limit ? { ...entry, created: isoTime(limit) } : entry
    last = build ?? own ?? last
    return last === undefined ? entry : { created: isoTime(Math.min(last, limit)), ...entry }
  })
}

/** RFC 3339 as Go prints it: no fraction when it is zero. */
export function isoTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace(/\.?0*Z$/, 'Z')
}

/** The JSON text of a config. */
export function serializeConfig(image: ImageConfig): Buffer {
  const { history, rootfs, config, ...rest } = image
  const whole: Record<string, unknown> = {
    ...withoutEmpty(rest),
    ...(config && { config: orderedConfig(withoutEmpty(config)) }),
    ...(history && { history: history.map(withoutEmpty) }),
    rootfs,
  }
  return Buffer.from(
    JSON.stringify(
      Object.fromEntries(
        Object.keys(whole)
          .sort()
          .map((k) => [k, whole[k]]),
      ),
    ),
  )
}

const required = new Set(['architecture', 'os', 'Healthcheck'])

/** The reference leaves out what is empty: `ENTRYPOINT []` is no field of the config, nor is `"ExposedPorts":{}`. */
function withoutEmpty<T extends object>(fields: T): T {
  return Object.fromEntries(Object.entries(fields).filter(([key, value]) => isSet(value) || required.has(key))) as T
}

function isSet(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0
  if (typeof value === 'object' && value !== null) return Object.keys(value).length > 0
  return value !== undefined && value !== null && value !== '' && value !== false && value !== 0
}

function orderedConfig(container: ContainerConfig): Record<string, unknown> {
  const config = new Map<string, unknown>(Object.entries(container))
  const keys = [
    ...CONFIG_ORDER.filter((k) => config.has(k)),
    ...[...config.keys()].filter((k) => !CONFIG_ORDER.includes(k)),
  ]
  const sorted = (v: unknown) =>
    v && typeof v === 'object' && !Array.isArray(v)
      ? Object.fromEntries(Object.entries(v).sort(([a], [b]) => (a < b ? -1 : 1)))
      : v
  return Object.fromEntries(
    keys.map((k) => [k, ['Labels', 'ExposedPorts', 'Volumes'].includes(k) ? sorted(config.get(k)) : config.get(k)]),
  )
}
