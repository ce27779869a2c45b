/**
 * Makes dist/: the program as few files, which load faster than the sources and run where types are not stripped (Node
 * does not do so below node_modules). `node packages/cli/src/tools/bundle.ts`
 */
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
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
  rmSync(directory, { recursive: true, force: true })
  const { metafile } = await build({
    metafile: true,
    absWorkingDir: path('../..'),
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
  // Dependencies change by installing, which makes the bundle anew.
  const sources = Object.keys(metafile.inputs).filter((input) => !input.includes('node_modules/'))
  writeFileSync(join(directory, 'sources.json'), JSON.stringify(sources.map(stamp)))
}

/** What `bin/program.js` compares to know whether the bundle is made of the sources as they are. */
function stamp(input: string): [path: string, size: number, mtime: number] {
  const { size, mtimeMs } = statSync(join(path('../..'), input))
  return [input, size, mtimeMs]
}

if (import.meta.main) await bundle(path('../../dist'))
