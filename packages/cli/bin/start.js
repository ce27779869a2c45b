// Loads the program: the bundle when this is an installed package, else the sources.
'use strict'

const { existsSync } = require('node:fs')
const { join } = require('node:path')
const { pathToFileURL } = require('node:url')
const { enableOwnCompileCache } = require('./compile-cache.js')

enableOwnCompileCache()
const bundle = join(__dirname, '..', 'dist', 'main.js')
const program = existsSync(bundle) ? bundle : join(__dirname, '..', 'src', 'main.ts')
void import(pathToFileURL(program).href).then((main) => main.runProcess())
