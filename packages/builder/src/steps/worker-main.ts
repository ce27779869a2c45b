/**
 * The worker's entry. It runs inside the namespaces; the main process never imports it.
 *
 * A RUN needs a second Node process, which takes as long to start as everything that this one has to load. So it is
 * started first where a RUN is to be expected.
 */
import { WILL_RUN } from './worker-api.ts'

async function startCloner() {
  const { LastingCloner } = await import('../sandbox/cloner/lasting-cloner.ts')
  return new LastingCloner({ compileCache: process.env.NODE_COMPILE_CACHE, pidNamespace: true })
}

async function start(): Promise<void> {
  const cloner = process.argv.includes(WILL_RUN) ? await startCloner() : undefined
  const { serve } = await import('./worker-serve.ts')
  serve(cloner)
}

void start()
