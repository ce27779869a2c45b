/**
 * Makes dist/: the program as few files, which load faster than the sources and run where types are not stripped (Node
 * does not do so below node_modules). `node packages/cli/src/tools/bundle.ts`
 */
import { hash } from 'node:crypto'
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createRequire, isBuiltin } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, type Plugin } from 'esbuild'

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url))

const BUILDER = path('../../../builder/src')
const CLIENT = path('../../../registry-client')

/** Files that are loaded by name, each with what it needs. */
export const FILES = {
  main: path('../main.ts'),
  'worker-main': join(BUILDER, 'steps/worker-main.ts'),
  cloner: join(BUILDER, 'sandbox/cloner/cloner.ts'),
  // As large as everything else together, and rarely needed.
  undici: createRequire(join(CLIENT, 'package.json')).resolve('undici'),
} as const

/** Those whose compiled code is kept from one process to the next (bin/load.js), and what for. */
const KEPT: Readonly<Record<string, string>> = {
  // What only looks at something would keep a small part of what a build uses.
  main: "process.argv.some((word) => /^(--?h(elp)?|version|help|completion|images|inspect|history|tags|digest|du|log(in|out)|tag|rmi)$/.test(word)) ? undefined : 'build'",
  'worker-main': "process.argv.includes('--will-run') ? 'run' : 'files'",
}

/** @param directory where the files go */
export async function bundle(directory: string): Promise<void> {
  rmSync(directory, { recursive: true, force: true })
  mkdirSync(directory, { recursive: true })
  const inputs = await Promise.all(Object.keys(FILES).map((name) => bundleOne(name as keyof typeof FILES, directory)))
  // Dependencies change by installing, which makes the bundle anew.
  const sources = [...new Set(inputs.flat())].filter((input) => !/node_modules\/|^builtin:/.test(input))
  writeFileSync(join(directory, 'sources.json'), JSON.stringify(sources.map(stamp)))
}

/** Returns the sources, relative to the package. */
async function bundleOne(name: keyof typeof FILES, directory: string): Promise<string[]> {
  const plugins = name === 'undici' ? [] : [ownFile('undici'), builtins, koffi]
  const { metafile, outputFiles } = await bundleFile(FILES[name], join(directory, `${name}.cjs`), plugins)
  for (const { path: file, text } of outputFiles) {
    if (!file.endsWith('.cjs') || KEPT[name] === undefined) {
      writeFileSync(file, text)
      continue
    }
    if (/[^\0-\x7f]/.test(text)) throw new Error(`${file} has characters that are not ASCII`)
    const digest = hash('sha256', text)
    const code = `// ${digest}\n(function (exports, require, module, __filename, __dirname) {${text}\n})\n`
    writeFileSync(join(directory, `${name}.code.cjs`), code)
    writeFileSync(
      file,
      `module.exports = require('../bin/load.js').load(\`\${__dirname}/${name}.code.cjs\`, ${KEPT[name]})\n`,
    )
  }
  return Object.keys(metafile.inputs)
}

/** One file of a bundle, not written yet; what it needs is in it, but for what the plugins leave out. */
export async function bundleFile(entry: string, outfile: string, plugins: readonly Plugin[]) {
  return await build({
    metafile: true,
    write: false,
    absWorkingDir: path('../..'),
    entryPoints: [entry],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node24',
    plugins: [...plugins],
    format: 'cjs',
    supported: { 'dynamic-import': false },
    define: { 'import.meta.url': 'fileUrl', 'import.meta.dirname': '__dirname', 'import.meta.main': 'false' },
    banner: {
      js: "const urlOf = (file) => require('node:url').pathToFileURL(file).href; const fileUrl = urlOf(__filename); const koffiUrl = () => urlOf(require.resolve('koffi'));",
    },
    // No comments but those of licences, which get a file of their own: what is read at each start is plain ASCII.
    minifyWhitespace: true,
    lineLimit: 120,
    legalComments: 'external',
    logLevel: 'warning',
  })
}

/**
 * Takes from Node's own modules what is used of them. As imports, they would be copied property by property for each
 * file that imports them, which also loads what they only load on demand.
 */
export const builtins: Plugin = {
  name: 'builtins',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:/ }, ({ path: name, kind }) =>
      isBuiltin(name) && kind === 'import-statement'
        ? { path: name, namespace: 'builtin', sideEffects: false }
        : undefined,
    )
    onLoad({ filter: /./, namespace: 'builtin' }, ({ path: name }) => {
      const names = Object.keys(process.getBuiltinModule(name) as object).filter((key) => /^[A-Za-z]\w*$/.test(key))
      return {
        contents: [
          `const all = process.getBuiltinModule(${JSON.stringify(name)})`,
          'export default all',
          // Pure, so that what nobody uses is left out.
          ...names.map(
            (key) => `const the_${key} = /* @__PURE__ */ (() => all.${key})(); export { the_${key} as ${key} }`,
          ),
        ].join('\n'),
      }
    })
  },
}

/** JavaScript of this package looks for the compiled code of the machine beside itself: in its package, not in a bundle. */
export const koffi: Plugin = {
  name: 'koffi',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]koffi[\\/].*\.js$/ }, ({ path: file }) => ({
      contents: readFileSync(file, 'utf8').replaceAll('import.meta.url', 'koffiUrl()'),
    }))
  },
}

/** Leaves a package to a file of the bundle that has it alone. */
export function ownFile(name: string): Plugin {
  return {
    name: 'own-file',
    setup({ onResolve }) {
      onResolve({ filter: new RegExp(`^${name}$`) }, () => ({ path: `./${name}.cjs`, external: true }))
    },
  }
}

/** What `bin/program.js` compares to know whether the bundle is made of the sources as they are. */
function stamp(input: string): [path: string, size: number, mtime: number, sha256: string] {
  const file = join(path('../..'), input)
  const { size, mtimeMs } = statSync(file)
  return [input, size, mtimeMs, hash('sha256', readFileSync(file))]
}

if (import.meta.main) await bundle(path('../../dist'))
