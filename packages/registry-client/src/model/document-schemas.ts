/** The image-spec's documents, field by field; descriptor.ts parses with them. */
import type { Digest } from './digest.ts'
import type { ContainerConfig, Descriptor, Healthcheck, HistoryEntry, ImageConfig } from './image-spec.ts'
import type { Platform } from './platform.ts'
import { anything, digest, flag, integer, list, object, optional, size, table, text, time } from './schema.ts'

const texts = optional(list(text, 'texts'))
const annotations = optional(table(text, 'texts'))
/** Docker's sets are objects whose values mean nothing. */
const names = optional(table(anything, 'names')) as (value: unknown, field: string) => ContainerConfig['Volumes']

const platform = object<Platform>(
  { os: text, architecture: text, variant: optional(text), 'os.version': optional(text), 'os.features': texts },
  'a platform',
)

/** A descriptor of a manifest, an index or a layout. */
export const descriptorSchema = object<Descriptor>(
  {
    digest,
    size,
    mediaType: text,
    platform: optional(platform),
    annotations,
    artifactType: optional(text),
    urls: texts,
    data: optional(text),
  },
  'a descriptor',
)

/** What manifests and indexes have in common; which of the two it is decides about the rest. */
export interface AnyManifest {
  readonly schemaVersion?: unknown
  readonly mediaType?: string
  readonly artifactType?: string
  readonly manifests?: readonly Descriptor[]
  readonly config?: Descriptor
  readonly layers?: readonly Descriptor[]
  readonly subject?: Descriptor
  readonly annotations?: Readonly<Record<string, string>>
}

const descriptors = optional(list(descriptorSchema, 'descriptors'))

export const manifestSchema = object<AnyManifest>({
  schemaVersion: anything,
  mediaType: optional(text),
  artifactType: optional(text),
  manifests: descriptors,
  config: optional(descriptorSchema),
  layers: descriptors,
  subject: optional(descriptorSchema),
  annotations,
})

const healthcheck = object<Healthcheck>({
  Test: texts,
  Interval: optional(integer),
  Timeout: optional(integer),
  StartPeriod: optional(integer),
  StartInterval: optional(integer),
  Retries: optional(integer),
})

const containerConfig = object<ContainerConfig>({
  User: optional(text),
  ExposedPorts: names,
  Env: texts,
  Entrypoint: texts,
  Cmd: texts,
  Volumes: names,
  WorkingDir: optional(text),
  Labels: optional(table(text, 'texts')),
  StopSignal: optional(text),
  ArgsEscaped: optional(flag),
  Healthcheck: optional(healthcheck),
  OnBuild: texts,
  Shell: texts,
})

const historyEntry = object<HistoryEntry>({
  created: optional(time),
  created_by: optional(text),
  author: optional(text),
  comment: optional(text),
  empty_layer: optional(flag),
})

/** An image config; what it may leave out is filled in by {@link parseImageConfig}. */
export const imageConfigSchema = object<
  Omit<ImageConfig, 'os' | 'architecture' | 'rootfs'> & {
    readonly os?: string
    readonly architecture?: string
    readonly rootfs?: { readonly type?: string; readonly diff_ids?: readonly Digest[] }
  }
>({
  created: optional(time),
  author: optional(text),
  architecture: optional(text),
  os: optional(text),
  variant: optional(text),
  'os.version': optional(text),
  'os.features': texts,
  config: optional(containerConfig),
  rootfs: optional(
    object<{ readonly type?: string; readonly diff_ids?: readonly Digest[] }>({
      type: optional(text),
      diff_ids: optional(list(digest, 'digests')),
    }),
  ),
  history: optional(list(historyEntry, 'objects')),
})
