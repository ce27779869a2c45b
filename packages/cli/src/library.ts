/** The local store, as the commands use it: where the global flags and the environment say that it is. */
import type { OpenedImages } from '@tsbuild/builder'
import type { CommandContext } from './command.ts'

/** Opens the images of the local store; to be disposed. @param access `read`: it may be one that cannot be written */
export async function openStore({ io, global }: CommandContext, access: 'read' | 'write'): Promise<OpenedImages> {
  const { openImages } = await import('@tsbuild/builder')
  return openImages({ root: global.root, env: io.env, readOnly: access === 'read' })
}

/** Opens the images of the local store to copy from: kept from prune meanwhile, unless the store cannot be written. */
export async function openSourceStore(context: CommandContext): Promise<OpenedImages> {
  try {
    return await openStore(context, 'write')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'STORE_UNWRITABLE')
      return await openStore(context, 'read')
    throw error
  }
}

/** The store has no image of a name: told by the code, since the class would have to be loaded. */
export function isUnknownImage(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'IMAGE_UNKNOWN'
}
