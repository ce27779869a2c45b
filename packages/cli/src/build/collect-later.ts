/** Automatic collection: by a process of its own, so that no build waits for it. */
import type { CommandContext } from '../command.ts'
import { write } from '../io.ts'

/** Starts it when it is due. That it cannot be is no failure of the build. */
export async function collectLater({ io, global, signal }: CommandContext): Promise<void> {
  if (io.startAlone === undefined || signal.aborted) return
  const { garbageCollectionDue } = await import('@tsbuild/builder')
  try {
    const root = await garbageCollectionDue({ root: global.root, env: io.env })
    if (root !== undefined) io.startAlone(['prune', '--auto', '--root', root])
  } catch (error) {
    await write(io.stderr, `WARNING: the store is not collected: ${(error as Error).message}\n`)
  }
}
