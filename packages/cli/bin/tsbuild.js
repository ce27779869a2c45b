#!/bin/sh
':' /*; # The command's entry. A shell reads it first, then Node, for which all of this is a comment: Node would take
# some options that stand behind the script, such as --env-file, for its own. They are quoted with a backslash on their
# way. As the links that package managers make do, the Node of the same installation is preferred.
self=/$0
node=${self%/.bin/*}/.bin/node
node=${node#/}
[ -x "$node" ] || node=node
for word do
  shift
  case $word in
    --env-file* | --experimental-* | \\*) word=\\$word ;;
  esac
  set -- "$@" "$word"
done
exec "$node" -- "$0" --quoted "$@"
*/
// Refuses an old Node in one line, so it must parse on any Node. This folder's package.json makes it a CommonJS script;
// everything newer is in start.js, which an old Node never reads.
'use strict'

if (process.argv[2] === '--quoted') {
  const words = process.argv.slice(3).map((word) => word.replace(/^\\/, ''))
  process.argv.splice(2, process.argv.length, ...words)
}

const parts = process.versions.node.split('.')
const major = Number(parts[0])
const minor = Number(parts[1])

if ((major === 24 && minor >= 15) || major >= 26) {
  require('./start.js')
} else {
  process.stderr.write(`tsbuild needs Node ^24.15 or >=26, this is ${process.versions.node} (${process.execPath})\n`)
  process.exitCode = 2
}
