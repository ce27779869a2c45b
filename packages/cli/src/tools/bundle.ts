/**
 * Makes dist/: the program as few files, which load faster than the sources and run where types are not stripped (Node
 * does not do so below node_modules). `node packages/cli/src/tools/bundle.ts`
 */
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url))

/** Files that are started as processes of their own, besides the program itself. */
const ENTRIES = {
  main: path('../main.ts'),
  'worker-main': path('../../../builder/src/steps/worker-main.ts'),
  cloner: path('../../../builder/src/sandbox/namespaces/cloner.ts'),
}

/** @param directory where the files go */
export async function bundle(directory: string): Promise<void> {
  await build({
    entryPoints: ENTRIES,
    outdir: directory,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    // It is compiled code and found by its package.
    external: ['koffi'],
    // Dependencies that are CommonJS modules ask for Node's modules in their own way.
    banner: {
      js: "import { createRequire as requireFor } from 'node:module'; const require = requireFor(import.meta.url)",
    },
    logLevel: 'warning',
  })
}

if (import.meta.main) await bundle(path('../../dist'))
