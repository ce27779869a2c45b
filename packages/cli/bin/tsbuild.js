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
// This folder's package.json makes it a CommonJS script.
'use strict'

require('./enter.js').enter([])
