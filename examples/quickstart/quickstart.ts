/** Builds a small image without any network or base image, and shows it. Run it again: every step comes from the cache. */
import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { arch } from 'node:os'
import { dirname, join, relative } from 'node:path'

const here = import.meta.dirname
const command = join(here, '../../packages/cli/bin/tsbuild.js')

/** The directory of esbuild's static program, which its npm package for this machine brings. */
function esbuildDirectory(): string {
  const esbuild = createRequire(createRequire(import.meta.url).resolve('esbuild/package.json'))
  return dirname(esbuild.resolve(`@esbuild/linux-${arch()}/bin/esbuild`))
}

function tsbuild(...args: string[]): void {
  const { status } = spawnSync(process.execPath, [command, ...args], { stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}

tsbuild('-t', 'quickstart', '--build-context', `tools=${esbuildDirectory()}`, join(here, 'app'))

console.log()
tsbuild('inspect', 'quickstart')

const app = relative(process.cwd(), join(here, 'app'))
console.log(`
What to try next:
  npx pnpm@12 quickstart                   again: every step is cached
  change ${join(app, 'src/greeting.ts')} and run it again: only what depends on it is built
  npx pnpm@12 tsbuild images               the images of the local store
  npx pnpm@12 tsbuild --check ${app}       what the linter says
  npx pnpm@12 tsbuild --help               everything else
  examples/                                more of them, README.md says what they show`)
