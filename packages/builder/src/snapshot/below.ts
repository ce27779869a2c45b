/** Looks names up in the layers below, without a mount. */
import { type BigIntStats, lstatSync } from 'node:fs'
import { fsPath, readDirectory } from '../util/raw-path.ts'
import type { WhiteoutStyle } from './marks.ts'

/** What a name is in a stack of layers. */
export type Below =
  | { readonly kind: 'none' }
  /** A directory: its parts in the layers that have one, top first. */
  | { readonly kind: 'directory'; readonly parts: readonly string[]; readonly stat: BigIntStats }
  | { readonly kind: 'other'; readonly path: string; readonly stat: BigIntStats }

const NONE: Below = { kind: 'none' }

/** What `name` is in the directory whose parts (top first) are `parts`. */
export function lookBelow(parts: readonly string[], name: string, style: WhiteoutStyle): Below {
  const found: string[] = []
  let top: BigIntStats | undefined
  for (const part of parts) {
    const path = `${part}/${name}`
    const stat = lstatSync(fsPath(path), { bigint: true, throwIfNoEntry: false })
    const hidden = style.isHidden(part, name)
    if (stat && !(hidden && !stat.isDirectory())) {
      if (!stat.isDirectory())
        return top ? { kind: 'directory', parts: found, stat: top } : { kind: 'other', path, stat }
      found.push(path)
      top ??= stat
    }
    if (hidden) break
  }
  return top ? { kind: 'directory', parts: found, stat: top } : NONE
}

/** The names in a directory with these parts (top first), without those that are gone. */
export function namesBelow(parts: readonly string[], style: WhiteoutStyle): Set<string> {
  const names = new Set<string>()
  const gone = new Set<string>()
  for (const part of parts) {
    const hidden: string[] = []
    for (const entry of readDirectory(part)) {
      const name = style.hides(part, entry)
      if (name !== undefined) hidden.push(name)
      else if (!gone.has(entry.name)) names.add(entry.name)
    }
    for (const name of hidden) gone.add(name)
  }
  return names
}
