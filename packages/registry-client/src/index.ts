/// <reference types="node" preserve="true" />
/**
 * OCI distribution client: pull, push and copy container images and artifacts between registries, OCI layouts and
 * archives.
 */

export { type CredentialProvider, type CredentialQuery, type Credentials, firstOf } from './auth/credentials.ts'
export { defaultCredentials, type Env } from './auth/docker-config.ts'
export { type CredentialFileOptions, eraseCredentials, type StoredCredentials, storeCredentials } from './auth/login.ts'
export { type CopyOptions, type CopyProgress, type CopyResult, copy, onceMore } from './copy/copy.ts'
export { fetchForPlatform } from './copy/copy-plan.ts'
export { type MergeOptions, type MergeResult, type MergeSource, mergeImages } from './copy/merge.ts'
export type { HostsOptions } from './hosts/resolver.ts'
export { ImageArchive, type ImageArchiveOptions } from './layout/archive-writer.ts'
export { lockFile } from './layout/directory-lock.ts'
export { DockerArchive } from './layout/docker-archive.ts'
export { MemoryImages } from './layout/memory.ts'
export { isOciLayout, type LayoutOptions, OciLayout } from './layout/oci-layout.ts'
export { companionTag, isCompanionTag } from './model/companions.ts'
export * from './model/content.ts'
export {
  blobsOf,
  type ContainerConfig,
  type Descriptor,
  type Healthcheck,
  type HistoryEntry,
  type ImageConfig,
  type Index,
  type Manifest,
  type ManifestDocument,
  parseImageConfig,
  parseManifest,
} from './model/descriptor.ts'
export * from './model/digest.ts'
export { descriptorSchema } from './model/document-schemas.ts'
export * from './model/errors.ts'
export * from './model/match-platform.ts'
export * from './model/media-types.ts'
export * from './model/platform.ts'
export * from './model/reference.ts'
export { referrerOf } from './model/referrer.ts'
export * as schema from './model/schema.ts'
export { counted, isSelfVerifying, selfVerifying } from './model/verified-stream.ts'
export { RegistryClient, type RegistryClientOptions } from './registry/client.ts'
export type { UrlAnswer, UrlOptions, UrlRequest } from './registry/download-url.ts'
export { Repository } from './registry/repository.ts'
export type { ForeignLayerOptions, Limits } from './registry/repository-access.ts'
export type { ListTagsOptions } from './registry/tags.ts'
export type { UploadStreamOptions } from './registry/upload-stream.ts'
export { type RegistryEvent, type RegistryEventListener, redactUrl } from './transport/events.ts'
export type { ProxyOptions } from './transport/proxy.ts'
export type { RetryOptions } from './transport/retry.ts'
export type { Timeouts } from './transport/timeouts.ts'
export { makeDirectory } from './util/writing.ts'
