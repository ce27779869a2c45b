/** `reset=true`: what no manifest of a layout's index leads to any more is deleted. */
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import {
  type Descriptor,
  isIndexType,
  isManifestType,
  isRegistryError,
  type OciLayout,
  parseManifest,
} from '@tsbuild/registry-client'

/** The caller sees to it that nobody writes caches there meanwhile. */
export async function removeUnreachable(directory: string, layout: OciLayout): Promise<void> {
  const reachable = new Set<string>()
  const rest: Descriptor[] = [...(await layout.index()).manifests]
  for (let descriptor = rest.pop(); descriptor !== undefined; descriptor = rest.pop()) {
    if (reachable.has(descriptor.digest)) continue
    reachable.add(descriptor.digest)
    rest.push(...(await childrenOf(layout, descriptor)))
  }
  const blobs = join(directory, 'blobs')
  // Files of other names are on their way to become blobs.
  for (const algorithm of await readdir(blobs))
    for (const hex of await readdir(join(blobs, algorithm)))
      if (/^[0-9a-f]+$/.test(hex) && !reachable.has(`${algorithm}:${hex}`)) await rm(join(blobs, algorithm, hex))
}

async function childrenOf(layout: OciLayout, descriptor: Descriptor): Promise<readonly Descriptor[]> {
  if (!isManifestType(descriptor.mediaType) && !isIndexType(descriptor.mediaType)) return []
  try {
    const { bytes } = await layout.fetchManifest(descriptor)
    const parsed = parseManifest(bytes, descriptor.mediaType)
    return parsed.kind === 'index' ? parsed.index.manifests : [parsed.manifest.config, ...parsed.manifest.layers]
  } catch (error) {
    if (isRegistryError(error, 'NOT_FOUND')) return []
    throw error
  }
}
