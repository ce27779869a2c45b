// Runs a file of the bundle with the code that V8 has made of it in an earlier process, all functions included that were
// used there. Node's own compile cache keeps what is compiled while a file loads, which is little of what a command uses.
'use strict'

const fs = require('node:fs')
const { createRequire } = require('node:module')
const { basename, dirname, join } = require('node:path')
const vm = require('node:vm')
const { cacheDirectory } = require('./compile-cache.js')

/** Functions that have not been used for a while are forgotten: a long command keeps its code before. */
const KEEP_AFTER_MS = 2000
/** Code of other versions that nobody has used for so long is deleted. */
const OUTDATED_MS = 7 * 24 * 3600 * 1000

/**
 * Runs a CommonJS module and returns its exports. Its file has a comment with a digest of it, and then the module as Node
 * would wrap it in a function.
 *
 * @param {string} file
 * @param {string | undefined} use names what this process is going to do, if its code is worth keeping
 */
exports.load = (file, use) => {
  // The bundler writes nothing but ASCII.
  const source = fs.readFileSync(file, 'latin1')
  const place = codeFile(file, source, use ?? 'build')
  const cachedData = place && read(place)
  const script = new vm.Script(source, { filename: file, cachedData })
  const module = { exports: {} }
  const run = script.runInThisContext()
  if (place && use !== undefined && (cachedData === undefined || script.cachedDataRejected)) keepCode(script, place)
  run.call(module.exports, module.exports, createRequire(file), module, file, dirname(file))
  return module.exports
}

/** V8 itself only compares the length of the source. */
function codeFile(file, source, use) {
  const directory = cacheDirectory()
  const digest = /^\/\/ ([0-9a-f]{64})\n/.exec(source.slice(0, 100))?.[1]
  if (directory === undefined || digest === undefined) return undefined
  const name = basename(file).replace(/\..*/, '')
  return join(directory, `${name}-${use}-${process.version}-${process.arch}-${digest.slice(0, 32)}.code`)
}

function read(place) {
  try {
    return fs.readFileSync(place)
  } catch {
    return undefined
  }
}

/** Once the process has done what it does first, or ends. */
function keepCode(script, place) {
  let kept = false
  const keep = () => {
    if (kept) return
    kept = true
    try {
      write(place, script.createCachedData())
    } catch {
      // No more than a slower start: the directory cannot be written, or the disk is full.
    }
  }
  process.once('exit', keep)
  setTimeout(keep, KEEP_AFTER_MS).unref()
}

function write(place, code) {
  const directory = dirname(place)
  fs.mkdirSync(directory, { recursive: true })
  const temporary = `${place}.${process.pid}`
  // On disk before it has its name: V8 trusts what it reads.
  fs.writeFileSync(temporary, code, { flush: true })
  fs.renameSync(temporary, place)
  const outdated = Date.now() - OUTDATED_MS
  for (const name of fs.readdirSync(directory)) {
    const path = join(directory, name)
    if (/\.code(\.\d+)?$/.test(name) && fs.statSync(path).atimeMs < outdated) fs.rmSync(path, { force: true })
  }
}
