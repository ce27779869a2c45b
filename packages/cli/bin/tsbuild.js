#!/usr/bin/env node
// The command's entry: refuses an old Node in one line, so it must parse on any Node. This folder's package.json makes
// it a CommonJS script; everything newer is in start.js, which an old Node never reads.
'use strict'

const parts = process.versions.node.split('.')
const major = Number(parts[0])
const minor = Number(parts[1])

if ((major === 24 && minor >= 15) || major >= 26) {
  require('./start.js')
} else {
  process.stderr.write(`tsbuild needs Node ^24.15 or >=26, this is ${process.versions.node} (${process.execPath})\n`)
  process.exitCode = 2
}
