// Turns Node's compile cache on, so that sources are stripped of their types and compiled only once.
'use strict'

const { statSync } = require('node:fs')
const { enableCompileCache } = require('node:module')
const { homedir } = require('node:os')
const { join } = require('node:path')

// The cache is code that is trusted when it is read back, so it must lie in a home that belongs to this very user:
// `sudo tsbuild` with the home of somebody else goes without.
function ownCacheDirectory() {
  try {
    const home = homedir()
    if (process.geteuid && statSync(home).uid !== process.geteuid()) return undefined
    return join(process.env.XDG_CACHE_HOME || join(home, '.cache'), 'tsbuild', 'node')
  } catch {
    return undefined
  }
}

/** Where compiled code is kept; undefined: nowhere. */
exports.cacheDirectory = () => process.env.NODE_COMPILE_CACHE || ownCacheDirectory()

exports.enableOwnCompileCache = () => {
  const directory = exports.cacheDirectory()
  if (directory) enableCompileCache(directory)
}
