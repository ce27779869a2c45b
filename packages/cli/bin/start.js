// Loads the program.
'use strict'

const { pathToFileURL } = require('node:url')
const { enableOwnCompileCache } = require('./compile-cache.js')
const { programFile } = require('./program.js')

enableOwnCompileCache()
const file = programFile()
if (file.endsWith('.cjs')) void require(file).runProcess()
else void import(pathToFileURL(file).href).then((main) => main.runProcess())
