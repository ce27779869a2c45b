// Loads the program.
'use strict'

const { pathToFileURL } = require('node:url')
const { enableOwnCompileCache } = require('./compile-cache.js')
const { programFile } = require('./program.js')

enableOwnCompileCache()
void import(pathToFileURL(programFile()).href).then((main) => main.runProcess())
