/**
 * What the in-memory registry holds. Tests may look into it and change it.
 */
import { randomUUID } from 'node:crypto'
import { type Descriptor, type Index, type Manifest, parseManifest } from '../model/descriptor.ts'
import { type Digest, digestOf } from '../model/digest.ts'
import { referrerOf } from '../model/referrer.ts'

/** One repository. */
export interface StoredRepository {
  readonly blobs: Map<Digest, Buffer>
  readonly manifests: Map<Digest, { readonly bytes: Buffer; readonly mediaType: string }>
  readonly tags: Map<string, Digest>
  /** Open uploads: what has arrived. */
  readonly uploads: Map<string, Buffer[]>
}

/** All repositories. */
export class RegistryStore {
  readonly repositories = new Map<string, StoredRepository>()

  /** A repository, made when it is not there. */
  repository(name: string): StoredRepository {
    const found = this.repositories.get(name)
    if (found !== undefined) return found
    const made: StoredRepository = { blobs: new Map(), manifests: new Map(), tags: new Map(), uploads: new Map() }
    this.repositories.set(name, made)
    return made
  }

  /** Puts a blob in place and returns its descriptor. */
  addBlob(repository: string, bytes: Uint8Array, mediaType = 'application/octet-stream'): Descriptor {
    const digest = digestOf(bytes)
    this.repository(repository).blobs.set(digest, Buffer.from(bytes))
    return { mediaType, digest, size: bytes.length }
  }

  /** Puts a manifest or index in place, with its tags. */
  addManifest(repository: string, document: Manifest | Index, ...tags: string[]): Descriptor {
    const bytes = Buffer.from(JSON.stringify(document))
    const { mediaType } = parseManifest(bytes)
    const digest = digestOf(bytes)
    const target = this.repository(repository)
    target.manifests.set(digest, { bytes, mediaType })
    for (const tag of tags) target.tags.set(tag, digest)
    return { mediaType, digest, size: bytes.length }
  }

  /** Puts an image of random or given layers in place. */
  addImage(
    repository: string,
    tag: string,
    layers: readonly Uint8Array[],
  ): { readonly descriptor: Descriptor; readonly manifest: Manifest } {
    const descriptors = layers.map((layer) => this.addBlob(repository, layer, 'application/vnd.oci.image.layer.v1.tar'))
    const config = {
      os: 'linux',
      architecture: 'amd64',
      config: { Labels: { id: randomUUID() } },
      rootfs: { type: 'layers', diff_ids: descriptors.map(({ digest }) => digest) },
    }
    const manifest: Manifest = {
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: this.addBlob(repository, Buffer.from(JSON.stringify(config)), 'application/vnd.oci.image.config.v1+json'),
      layers: descriptors,
    }
    return { descriptor: this.addManifest(repository, manifest, tag), manifest }
  }

  /** Manifests of a repository that refer to a digest. */
  referrers(repository: string, subject: string): Descriptor[] {
    const found: Descriptor[] = []
    for (const [digest, { bytes, mediaType }] of this.repository(repository).manifests) {
      const referrer = referrerOf(bytes, { mediaType, digest, size: bytes.length })
      if (referrer?.subject.digest === subject) found.push(referrer.referrer)
    }
    return found
  }
}
