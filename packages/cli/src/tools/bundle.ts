/**
 * Makes dist/: the program as few files, which load faster than the sources and run where types are not stripped (Node
 * does not do so below node_modules). `node packages/cli/src/tools/bundle.ts`
 */
import { rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type BuildOptions, build } from 'esbuild'

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url))

const BUILDER = path('../../../builder/src')

/** What is started as a process of its own. */
const WORKER = join(BUILDER, 'steps/worker-main.ts')
const CLONER = join(BUILDER, 'sandbox/cloner/cloner.ts')

const common = {
  metafile: true,
  absWorkingDir: path('../..'),
  bundle: true,
  platform: 'node',
  target: 'node24',
  // It is compiled code and found by its package.
  external: ['koffi'],
  logLevel: 'warning',
} as const satisfies BuildOptions

/** @param directory where the files go */
export async function bundle(directory: string): Promise<void> {
  rmSync(directory, { recursive: true, force: true })
  const results = await Promise.all([
    build({
      ...common,
      entryPoints: { main: path('../main.ts'), 'worker-main': WORKER },
      outdir: directory,
      splitting: true,
      format: 'esm',
      // Dependencies that are CommonJS modules ask for Node's modules in their own way.
      banner: {
        js: "import { createRequire as requireFor } from 'node:module'; const require = requireFor(import.meta.url)",
      },
    }),
    build({ ...common, entryPoints: [CLONER], outfile: join(directory, 'cloner.cjs'), format: 'cjs' }),
  ])
  const inputs = new Set(results.flatMap(({ metafile }) => Object.keys(metafile.inputs)))
  // Dependencies change by installing, which makes the bundle anew.
  const sources = [...inputs].filter((input) => !input.includes('node_modules/'))
  writeFileSync(join(directory, 'sources.json'), JSON.stringify(sources.map(stamp)))
}

/** What `bin/program.js` compares to know whether the bundle is made of the sources as they are. */
function stamp(input: string): [path: string, size: number, mtime: number] {
  const { size, mtimeMs } = statSync(join(path('../..'), input))
  return [input, size, mtimeMs]
}

if (import.meta.main) await bundle(path('../../dist'))
