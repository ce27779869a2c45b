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

const greeting = relative(process.cwd(), join(here, 'app/src/greeting.ts'))
console.log(`
What to try next:
  npx -y pnpm@12 quickstart              again: every step comes from the cache
  edit ${greeting}, and again: only what depends on it is built
  npx -y pnpm@12 tsbuild images          the images of the local store
  npx -y pnpm@12 tsbuild doctor          what builds can do on this machine
  npx -y pnpm@12 tsbuild --help          everything else; examples/README.md has more to build`)
