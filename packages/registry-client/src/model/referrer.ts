/**
 * What refers to a manifest, and where that is listed by name (distribution-spec "Referrers Tag Schema").
 */
import { type Descriptor, type Index, type Manifest, parseManifest } from './descriptor.ts'
import { type Digest, digestHex } from './digest.ts'

/** The tag that the referrers of a digest are listed under where the API is missing: `sha256-<hex>`, cut to 128. */
export function referrersTag(digest: Digest): string {
  const algorithm = digest.slice(0, digest.indexOf(':')).slice(0, 32)
  return `${algorithm}-${digestHex(digest).slice(0, 64)}`.slice(0, 128)
}

/**
 * How a manifest is listed among the referrers of its subject: with its artifact type and annotations; undefined when
 * it has no subject.
 */
export function referrerOf(
  bytes: Uint8Array,
  descriptor: Descriptor,
): { subject: Descriptor; referrer: Descriptor } | undefined {
  const document = parseManifest(bytes, descriptor.mediaType)
  const manifest: Manifest | Index = document.kind === 'manifest' ? document.manifest : document.index
  const { subject, annotations } = manifest
  if (subject === undefined || subject === null) return undefined
  const artifactType =
    manifest.artifactType ?? (document.kind === 'manifest' ? document.manifest.config.mediaType : undefined)
  return {
    subject,
    referrer: {
      ...descriptor,
      ...(artifactType !== undefined && { artifactType }),
      ...(annotations && { annotations }),
    },
  }
}
