#!/bin/sh
':' /*; # `tsbuild kaniko` as a program of its own. As in tsbuild.js a shell reads it first, then Node, for which all of
# this is a comment.
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
'use strict'

require('./enter.js').enter(['kaniko'])
