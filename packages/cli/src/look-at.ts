/** Looks at one image: in the local store, else in its registry. */
import { formatPlatform, hostPlatform, type Platform } from '@tsbuild/registry-client'
import type { CommandContext } from './command.ts'
import { inspectImage, readManifest } from './image-reader.ts'
import { isUnknownImage, openStore } from './library.ts'
import { openRegistry } from './registry.ts'
import type { InspectedImage, Inspection } from './render-inspection.ts'

export interface LookOptions {
  readonly platform?: string | undefined
  /** Ask the registry even when the store has the image. */
  readonly remote?: boolean | undefined
}

/** The image, and of several platforms the one that is asked for, else this machine's, else the first. */
export async function lookAt(
  name: string,
  options: LookOptions,
  context: CommandContext,
): Promise<{ readonly inspection: Inspection; readonly image: InspectedImage }> {
  const inspection = await inspect(name, options, context)
  const here: Platform = { ...hostPlatform(), os: 'linux' }
  const image = inspection.images.find((one) => one.platform === formatPlatform(here)) ?? inspection.images[0]
  const { digest } = inspection
  return { inspection, image: image ?? { platform: '', digest, id: digest, layers: [] } }
}

/** From the local store, else from the registry. */
export async function inspect(
  name: string,
  { platform, remote }: LookOptions,
  context: CommandContext,
): Promise<Inspection> {
  const { signal } = context
  if (!remote) {
    await using store = await openStore(context, 'read')
    try {
      return await inspectImage(store.images, name, await readManifest(store.images, name, platform, signal), signal)
    } catch (error) {
      if (!isUnknownImage(error)) throw error
    }
  }
  await using client = await openRegistry(context)
  const repository = client.repository(name)
  const fetched = await readManifest(repository, repository.defaultReference, platform, signal)
  return await inspectImage(repository, name, fetched, signal)
}
