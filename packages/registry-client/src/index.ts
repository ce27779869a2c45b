/**
 * OCI distribution client: pull, push and copy container images and artifacts between registries, OCI layouts and
 * archives.
 */
export * from './content.ts'
export {
  blobsOf,
  type ContainerConfig,
  checkDescriptor,
  type Descriptor,
  type Healthcheck,
  type HistoryEntry,
  type ImageConfig,
  type Index,
  type Manifest,
  type ManifestDocument,
  parseImageConfig,
  parseManifest,
} from './descriptor.ts'
export * from './digest.ts'
export * from './errors.ts'
export * from './media-types.ts'
export * from './platform.ts'
export * from './reference.ts'
