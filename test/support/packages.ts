/** Packs the packages as they are published, and installs what comes of it. */
import { mkdir, readFile, symlink } from 'node:fs/promises'
import { homedir } from 'node:os'
import { basename, delimiter, dirname, join } from 'node:path'
import { must, run } from './process.ts'
import { inCI, repository, toolPath, which } from './tools.ts'

/** In the order in which they need each other. */
export const PACKAGES = ['registry-client', 'builder', 'cli'] as const
export type PackageManager = 'npm' | 'pnpm'

export interface Manifest {
  readonly name: string
  readonly version: string
  readonly exports?: Readonly<Record<string, Readonly<Record<string, string>>>>
  readonly bin?: Readonly<Record<string, string>>
  readonly dependencies: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
}

export async function manifestIn(directory: string): Promise<Manifest> {
  return JSON.parse(await readFile(join(directory, 'package.json'), 'utf8')) as Manifest
}

/** Settings of package managers that stay: those that pnpm sets for its scripts are none of the user's. */
const KEPT = /^npm_config_(registry|cafile|strict_ssl|.*proxy)$/i

/** The machine's environment with another home, and without what the checkout adds to the path. */
export async function packagerEnv(home: string): Promise<NodeJS.ProcessEnv> {
  await mkdir(home, { recursive: true })
  // Which registry there is may be said in there.
  await symlink(join(homedir(), '.npmrc'), join(home, '.npmrc')).catch(() => {})
  const inherited = Object.entries(process.env).filter(
    ([name]) => KEPT.test(name) || !/^p?npm_|^XDG_|^NODE_(ENV|OPTIONS)/i.test(name),
  )
  const path = toolPath.split(delimiter).filter((directory) => !directory.includes('node_modules/.bin'))
  return { ...Object.fromEntries(inherited), HOME: home, PATH: path.join(delimiter) }
}

/** The same with the Node that runs the tests. */
export function withNode(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return { ...env, PATH: `${dirname(process.execPath)}${delimiter}${env.PATH}` }
}

/** How to call a package manager: the pnpm that runs the tests, else the one that CONTRIBUTING.md names. */
export function commandOf(manager: PackageManager): string[] {
  if (manager === 'npm') return [which('npm')!]
  const own = process.env.npm_execpath
  return own && basename(own).startsWith('pnpm') ? [own] : [which('npx')!, '-y', 'pnpm@12']
}

/** Why nothing can be installed here; undefined: it can. @throws Error in CI, where it has to */
export async function registryLack(env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const seen = await run(which('npm')!, ['view', 'koffi', 'name', '--fetch-retries=1', '--fetch-timeout=20000'], {
    env,
    timeout: 60_000,
  }).catch((error: unknown) => ({ code: 1, stderr: String(error) }))
  if (seen.code === 0) return undefined
  if (inCI) throw new Error(`the npm registry cannot be reached: ${seen.stderr}`)
  return 'needs the npm registry'
}

/** Copies what packing needs of this checkout, so that nothing is written into it. */
export async function copyCheckout(directory: string): Promise<string> {
  await mkdir(directory)
  const parts = ['packages', 'tools', 'LICENSE', 'package.json', 'pnpm-workspace.yaml', 'tsconfig.base.json']
  await must('cp', ['-a', '--reflink=auto', ...parts.map((name) => join(repository, name)), directory])
  await symlink(join(repository, 'node_modules'), join(directory, 'node_modules'))
  return directory
}

/** Packs all packages of a checkout. @returns the tarballs by package */
export async function packAll(
  manager: PackageManager,
  checkout: string,
  destination: string,
  env: NodeJS.ProcessEnv,
): Promise<ReadonlyMap<string, string>> {
  await mkdir(destination)
  const [file, ...words] = commandOf(manager)
  const tarballs = new Map<string, string>()
  for (const name of PACKAGES) {
    const cwd = join(checkout, 'packages', name)
    await must(file!, [...words, 'pack', '--pack-destination', destination], { cwd, env, timeout: 300_000 })
    tarballs.set(name, join(destination, `tsbuild-${name}-${(await manifestIn(cwd)).version}.tgz`))
  }
  return tarballs
}
