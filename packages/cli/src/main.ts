/** The program's entry: the compile cache first, since it helps only what is loaded after it; then everything else. */
import { createRequire } from 'node:module'

interface CompileCache {
  enableOwnCompileCache(): void
}

/** Runs the command line of this process and ends it. */
export async function runProcess(): Promise<never> {
  const cache = createRequire(import.meta.url)('../bin/compile-cache.js') as CompileCache
  cache.enableOwnCompileCache()
  const { runCommandLine } = await import('./process.ts')
  return runCommandLine()
}

if (import.meta.main) await runProcess()
