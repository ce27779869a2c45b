/** The program's entry: the compile cache first, since it helps only what is loaded after it; then everything else. */
import { createRequire } from 'node:module'

interface Bin {
  enableOwnCompileCache(): void
  programFile(): string
}

/** Runs the command line of this process and ends it. */
export async function runProcess(): Promise<never> {
  bin('compile-cache').enableOwnCompileCache()
  const { runCommandLine } = await import('./process.ts')
  return runCommandLine()
}

function bin(name: string): Bin {
  return createRequire(import.meta.url)(`../bin/${name}.js`) as Bin
}

// Started by its name, the source too leaves the work to a current bundle, which loads in half the time.
if (import.meta.main) {
  const program = bin('program').programFile()
  const { runProcess: run } = program.endsWith('.cjs')
    ? (createRequire(import.meta.url)(program) as typeof import('./main.ts'))
    : { runProcess }
  void run()
}
