/**
 * Makes dist/: the program as few files, which load faster than the sources and run where types are not stripped (Node
 * does not do so below node_modules). `node packages/cli/src/tools/bundle.ts`
 */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url))

/** How the builder names a file that it starts as a process of its own, beside the file that does so. */
const PROCESS = /new URL\(`\.\/([\w-]+)\$\{extname\(import\.meta\.url\)\}`/g

/** The program itself, and the files that are started as processes. */
function entryPoints(): Record<string, string> {
  const entries: Record<string, string> = { main: path('../main.ts') }
  const sources = path('../../../builder/src')
  for (const file of readdirSync(sources, { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts') || file.endsWith('.test.ts')) continue
    const source = join(sources, file)
    for (const [, name] of readFileSync(source, 'utf8').matchAll(PROCESS)) {
      entries[name!] = join(dirname(source), `${name}.ts`)
    }
  }
  return entries
}

/** @param directory where the files go */
export async function bundle(directory: string): Promise<void> {
  await build({
    entryPoints: entryPoints(),
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
