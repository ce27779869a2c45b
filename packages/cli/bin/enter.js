// What the programs of this package do first: take their words, and refuse an old Node in one line. So this must parse on
// any Node; everything newer is in start.js, which an old Node never reads.
'use strict'

const { join } = require('node:path')

/** @param {readonly string[]} command what stands before the words of the command line */
exports.enter = (command) => {
  const given = process.argv.slice(2)
  const words = given[0] === '--quoted' ? given.slice(1).map((word) => word.replace(/^\\/, '')) : given
  process.argv.splice(1, process.argv.length, join(__dirname, 'tsbuild.js'), ...command, ...words)
  const parts = process.versions.node.split('.')
  const major = Number(parts[0])
  const minor = Number(parts[1])

  if ((major === 24 && minor >= 15) || major >= 26) {
    require('./start.js')
  } else {
    process.stderr.write(`tsbuild needs Node ^24.15 or >=26, this is ${process.versions.node} (${process.execPath})\n`)
    process.exitCode = 2
  }
}
