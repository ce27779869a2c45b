// Finds the file that is the program: the bundle, if it was made of the sources as they are now, else the sources.
'use strict'

const { readFileSync, statSync } = require('node:fs')
const { join } = require('node:path')

const root = join(__dirname, '..')

// An installed package has the bundle alone. A checkout has both, and a bundle that is older than an edit must not win:
// sources.json says of which files it was made. Where only times differ, as in a copy of a checkout, their content counts.
function bundleIsCurrent() {
  let sources
  try {
    sources = JSON.parse(readFileSync(join(root, 'dist', 'sources.json'), 'utf8'))
  } catch {
    return false
  }
  return sources.every(([path, size, mtime, digest]) => {
    const stat = statSync(join(root, path), { throwIfNoEntry: false })
    return stat?.size === size && (stat.mtimeMs === mtime || sha256(join(root, path)) === digest)
  })
}

function sha256(file) {
  // Loaded only here: nearly always times tell.
  return require('node:crypto').hash('sha256', readFileSync(file))
}

exports.programFile = () => {
  const bundle = join(root, 'dist', 'main.cjs')
  const source = join(root, 'src', 'main.ts')
  const checkout = statSync(source, { throwIfNoEntry: false }) !== undefined
  return !checkout || bundleIsCurrent() ? bundle : source
}
