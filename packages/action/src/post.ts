/** After the job's other steps: runners that live on do not fill their disks. */
import { collectGarbage, garbageCollectionDue } from '@tsbuild/builder'
import { formatBytes } from '../../cli/src/embed.ts'
import type { Runner } from './runner.ts'

/** Collects the store when it is due. That it cannot be is no failure of the job. */
export async function runPost(runner: Runner, signal: AbortSignal): Promise<number> {
  try {
    const root = await garbageCollectionDue({ env: runner.env })
    if (root === undefined) return 0
    const { freed } = await collectGarbage({ root, env: runner.env, signal })
    runner.log(`the store was collected: ${formatBytes(freed)} are free again\n`)
  } catch (error) {
    runner.warning(`the store is not collected: ${(error as Error).message}`)
  }
  return 0
}
