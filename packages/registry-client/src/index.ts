/// <reference types="node" preserve="true" />
/**
 * OCI distribution client: pull, push and copy container images and artifacts between registries, OCI layouts and
 * archives.
 */

export { type CredentialProvider, type CredentialQuery, type Credentials, firstOf } from './auth/credentials.ts'
export { defaultCredentials, type Env } from './auth/docker-config.ts'
export { type CredentialFileOptions, eraseCredentials, type StoredCredentials, storeCredentials } from './auth/login.ts'
export { RegistryClient, type RegistryClientOptions, Repository } from './client.ts'
export { companionTag, isCompanionTag } from './companions.ts'
export * from './content.ts'
export { type CopyOptions, type CopyProgress, type CopyResult, copy, onceMore } from './copy.ts'
export { fetchForPlatform } from './copy-plan.ts'
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
} from './descriptor.ts'
export * from './digest.ts'
export * from './errors.ts'
export type { HostsOptions } from './hosts/resolver.ts'
export { ImageArchive, type ImageArchiveOptions } from './layout/archive-writer.ts'
export { DockerArchive } from './layout/docker-archive.ts'
export { isOciLayout, type LayoutOptions, OciLayout } from './layout/oci-layout.ts'
export { makeDirectory } from './make-directory.ts'
export * from './match-platform.ts'
export * from './media-types.ts'
export { MemoryImages } from './memory.ts'
export * from './platform.ts'
export * from './reference.ts'
export { referrerOf } from './referrers.ts'
export type { ForeignLayerOptions, Limits } from './repository-access.ts'
export * as schema from './schema.ts'
export type { ListTagsOptions } from './tags.ts'
export type { Timeouts } from './transport/environment.ts'
export { type RegistryEvent, type RegistryEventListener, redactUrl } from './transport/events.ts'
export type { ProxyOptions } from './transport/proxy.ts'
export type { RetryOptions } from './transport/retry.ts'
export { type TrustingFetchOptions, trustingFetch } from './transport/trusting-fetch.ts'
export type { UploadStreamOptions } from './upload-stream.ts'
export { isSelfVerifying, selfVerifying } from './verified-stream.ts'
