/** What to tell about a source that is not there: excluded, misspelled, or in another case. */
import type { Tree } from '../../context/tree.ts'
import { editDistance } from '../../util/suggest.ts'

/** A hint for a path that {@link Tree.lstat} does not know, undefined if there is nothing to say. */
export function notFoundHint(tree: Tree, path: string): string | undefined {
  const hidden = tree.hiddenBy(path)
  if (hidden !== undefined) return `it is excluded by ${hidden}`
  const parts = path.split('/')
  const known: string[] = []
  for (const part of parts) {
    const at = known.join('/')
    const dir = tree.lstat(at)
    if (dir?.type !== 'directory') return undefined
    if (tree.lstat([...known, part].join('/')) !== undefined) {
      known.push(part)
      continue
    }
    const closest = nearest(
      part,
      tree.list(at, dir).map((node) => node.name),
    )
    return closest === undefined ? undefined : `did you mean /${[...known, closest].join('/')}?`
  }
  return undefined
}

function nearest(name: string, others: readonly string[]): string | undefined {
  const limit = Math.max(1, Math.floor(name.length / 3))
  let best: string | undefined
  let least = limit + 1
  for (const other of others) {
    const d = other.toLowerCase() === name.toLowerCase() ? 0 : editDistance(name, other, least)
    if (d < least) {
      best = other
      least = d
    }
  }
  return best
}
