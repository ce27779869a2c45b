/**
 * Around `npm pack` and `pnpm pack`, as prepack and postpack of each package: in the checkout `exports` names the sources,
 * in the tarball what `publishConfig.exports` says. pnpm would see to that by itself, npm does not.
 *
 *     node ../../tools/published-manifest.ts write|restore
 */
import { copyFileSync, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'

const MANIFEST = 'package.json'
/** The checkout's own, while the published one is in its place. */
const KEPT = '.package.json'

/** An earlier pack that was interrupted may have left the published manifest: it is never taken for the checkout's. */
function restore(): void {
  if (existsSync(KEPT)) renameSync(KEPT, MANIFEST)
}

function write(): void {
  restore()
  const manifest = JSON.parse(readFileSync(MANIFEST, 'utf8')) as { publishConfig: { exports: unknown } }
  const { exports, ...publishConfig } = manifest.publishConfig
  writeFileSync(`${KEPT}.new`, `${JSON.stringify({ ...manifest, exports, publishConfig }, undefined, 2)}\n`)
  copyFileSync(MANIFEST, KEPT)
  renameSync(`${KEPT}.new`, MANIFEST)
}

const [action] = process.argv.slice(2)
if (action === 'write') write()
else if (action === 'restore') restore()
else throw new Error(`write or restore, not ${action}`)
