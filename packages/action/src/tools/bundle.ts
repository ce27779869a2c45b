/**
 * Makes dist/: the action as files that need nothing beside them. `node packages/action/src/tools/bundle.ts [--release]`
 *
 * A file for each entry, those that run in processes of their own, and the compiled code of koffi. A release has that for
 * each architecture that runners have; a checkout for those that are installed.
 */
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Plugin } from 'esbuild'
import { builtins, bundleFile, FILES, ownFile } from '../../../cli/src/tools/bundle.ts'

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url))

const ENTRIES = {
  index: path('../index.ts'),
  merge: path('../merge.ts'),
  'worker-main': FILES['worker-main'],
  cloner: FILES.cloner,
  undici: FILES.undici,
} as const

/** Architectures of GitHub's runners, and of those that one hosts oneself. */
export const ARCHITECTURES = ['x64', 'arm64'] as const

/** @param release refuse to make what would not run on every runner */
export async function bundleAction(directory: string, release = false): Promise<void> {
  rmSync(directory, { recursive: true, force: true })
  mkdirSync(directory, { recursive: true })
  await Promise.all(
    Object.entries(ENTRIES).map(async ([name, entry]) => {
      const plugins = name === 'undici' ? [] : [ownFile('undici'), builtins, koffiBeside]
      const { outputFiles } = await bundleFile(entry, join(directory, `${name}.cjs`), plugins)
      for (const { path: file, text } of outputFiles) writeFileSync(file, text)
    }),
  )
  for (const architecture of ARCHITECTURES) copyKoffi(architecture, directory, release)
}

function copyKoffi(architecture: string, directory: string, release: boolean): void {
  const koffi = createRequire(createRequire(path('../../../builder/package.json')).resolve('koffi'))
  let manifest: string
  try {
    manifest = koffi.resolve(`@koromix/koffi-linux-${architecture}/package.json`)
  } catch (cause) {
    if (!release && architecture !== process.arch) return
    const install = 'npx -y pnpm@12 install --os=linux --cpu=x64 --cpu=arm64'
    throw new Error(`koffi for ${architecture} is not installed: ${install}`, { cause })
  }
  const target = join(directory, `koffi-linux-${architecture}`)
  cpSync(join(manifest, '..'), target, { recursive: true, dereference: true })
}

/** Has koffi look for its compiled code in the bundle. */
const koffiBeside: Plugin = {
  name: 'koffi-beside',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]koffi[\\/].*\.js$/ }, ({ path: file }) => {
      const text = readFileSync(file, 'utf8')
      const place = '${import.meta.dirname}/../../../@koromix/koffi-'
      if (file.endsWith('src/koffi/index.js') && !text.includes(place)) throw new Error(`${file} looks elsewhere now`)
      return { contents: text.replaceAll(place, '${__dirname}/koffi-') }
    })
  },
}

if (import.meta.main) await bundleAction(path('../../dist'), process.argv.includes('--release'))
