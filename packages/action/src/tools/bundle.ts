/**
 * Makes dist/: the action as files that need nothing beside them. `node_modules/.bin/node packages/action/src/tools/bundle.ts [--release]`
 *
 * A file for each entry, those that run in processes of their own, and the compiled code of koffi. A release has that for
 * each architecture that runners have; a checkout for those that are installed.
 */
import { cpSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { builtins, bundleFile, FILES, koffi, ownFile } from '../../../cli/src/tools/bundle.ts'

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url))

const ENTRIES = {
  index: path('../index.ts'),
  merge: path('../merge.ts'),
  'worker-main': FILES['worker-main'],
  cloner: FILES.cloner,
  undici: FILES.undici,
} as const

/** Architectures of GitHub's runners, and of those that one hosts oneself. */
const ARCHITECTURES = ['x64', 'arm64'] as const

/** @param release refuse to make what would not run on every runner */
export async function bundleAction(directory: string, release = false): Promise<void> {
  rmSync(directory, { recursive: true, force: true })
  mkdirSync(directory, { recursive: true })
  await Promise.all(
    Object.entries(ENTRIES).map(async ([name, entry]) => {
      const plugins = name === 'undici' ? [] : [ownFile('undici'), builtins, koffi]
      const { outputFiles } = await bundleFile(entry, join(directory, `${name}.cjs`), plugins)
      for (const { path: file, text } of outputFiles) writeFileSync(file, text)
    }),
  )
  copyKoffi(directory, release)
}

/**
 * What is compiled, and the little that finds it: below node_modules, as all that needs it looks for it there.
 */
function copyKoffi(directory: string, release: boolean): void {
  const fromBuilder = createRequire(path('../../../builder/package.json'))
  const manifest = join(fromBuilder.resolve('koffi'), '../package.json')
  const target = join(directory, 'node_modules')
  cpSync(join(manifest, '..'), join(target, 'koffi'), {
    recursive: true,
    dereference: true,
    filter: (file) =>
      statSync(file).isDirectory()
        ? !/koffi\/(doc|lib|vendor)$/.test(file)
        : /\.c?js$|\/(package\.json|LICENSE\.txt)$/.test(file),
  })
  for (const architecture of ARCHITECTURES) {
    const name = `@koromix/koffi-linux-${architecture}`
    const compiled = findPackage(createRequire(manifest), name)
    if (compiled) cpSync(compiled, join(target, name), { recursive: true, dereference: true })
    else if (release || architecture === process.arch) {
      const install = 'npx -y pnpm@12 install --os=linux --cpu=x64 --cpu=arm64'
      throw new Error(`koffi for ${architecture} is not installed: ${install}`)
    }
  }
}

function findPackage(from: NodeJS.Require, name: string): string | undefined {
  try {
    return join(from.resolve(`${name}/package.json`), '..')
  } catch {
    return undefined
  }
}

if (import.meta.main) await bundleAction(path('../../dist'), process.argv.includes('--release'))
