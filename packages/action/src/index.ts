/** The entry of the action, and of what follows the job's other steps. */
import { fileURLToPath } from 'node:url'
import { runElsewhere } from './suitable-node.ts'

async function start(): Promise<void> {
  const elsewhere = runElsewhere(fileURLToPath(import.meta.url), process.versions.node, process.env)
  if (elsewhere !== undefined) {
    process.exitCode = elsewhere
    return
  }
  const { runStep } = await import('./run.ts')
  if (process.env.STATE_built === 'true') {
    const { runPost } = await import('./post.ts')
    return runStep((runner, _io, signal) => runPost(runner, signal))
  }
  const { runAction } = await import('./main.ts')
  return runStep(runAction)
}

void start()
