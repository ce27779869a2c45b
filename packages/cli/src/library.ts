/** The local store, as the commands use it: where the global flags and the environment say that it is. */
import type { OpenedImages } from '@tsbuild/builder'
import type { CommandContext } from './command.ts'

/** Opens the images of the local store; to be disposed. */
export async function openStore({ io, global }: CommandContext): Promise<OpenedImages> {
  const { openImages } = await import('@tsbuild/builder')
  return openImages({ root: global.root, env: io.env })
}

/** The store has no image of a name: told by the code, since the class would have to be loaded. */
export function isUnknownImage(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'IMAGE_UNKNOWN'
}
