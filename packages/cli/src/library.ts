/**
 * The library's operations on the local store, under the names and shapes that the commands use. The only file that
 * knows what they are called in @tsbuild/builder.
 */
import type { CommandContext } from './command.ts'

/** Where the store is, which registries to ask, and when to stop. */
export interface StoreOptions {
  readonly root?: string
  readonly mirrors?: Readonly<Record<string, string>>
  readonly env: Readonly<Record<string, string | undefined>>
  readonly signal: AbortSignal
}

/** The options that a command's context stands for. */
export function storeOptions({ io, global, signal }: CommandContext): StoreOptions {
  return {
    env: io.env,
    signal,
    ...(global.root === undefined ? {} : { root: global.root }),
    ...(global.mirrors === undefined ? {} : { mirrors: global.mirrors }),
  }
}

/** The operations, loaded when a command needs them. */
export async function loadImages() {
  const { images, inspectImage, tagImage, removeImage, diskUsage, prune, pushImage, pullImage } = await import(
    '@tsbuild/builder'
  )
  return { images, inspectImage, tagImage, removeImage, diskUsage, prune, pushImage, pullImage }
}
