import { type Descriptor, registryErrors, type Source } from '@tsbuild/registry-client'

/** A blob that fits into memory, verified. */
export async function readBlob(
  source: Pick<Source, 'openBlob'>,
  descriptor: Descriptor,
  limit: number,
  signal: AbortSignal,
): Promise<Buffer> {
  if (descriptor.size > limit) throw registryErrors.manifestTooLarge([descriptor.digest, limit])
  const chunks: Buffer[] = []
  for await (const chunk of source.openBlob(descriptor, { signal })) chunks.push(chunk)
  return Buffer.concat(chunks)
}
