/** The entry of the action `merge`. */
import { fileURLToPath } from 'node:url'
import { runElsewhere } from './suitable-node.ts'

async function start(): Promise<void> {
  const elsewhere = runElsewhere(fileURLToPath(import.meta.url), process.versions.node, process.env)
  if (elsewhere !== undefined) {
    process.exitCode = elsewhere
    return
  }
  const { runStep } = await import('./run.ts')
  const { runMerge } = await import('./merge-main.ts')
  return runStep(runMerge)
}

void start()
