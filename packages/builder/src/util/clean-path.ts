/** Lexical cleaning of slash-separated paths, for every host. */

/**
 * As Go's path.Clean: the shortest path with the same meaning. `.` and empty components vanish, `..` takes the
 * component before it away; a rooted path never rises above `/`. '' becomes `.`.
 */
export function cleanPath(path: string): string {
  const rooted = path.startsWith('/')
  const out: string[] = []
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue
    if (part !== '..') out.push(part)
    else if (out.length > 0 && out[out.length - 1] !== '..') out.pop()
    else if (!rooted) out.push(part)
  }
  return `${rooted ? '/' : ''}${out.join('/')}` || '.'
}

/** The path below a root: cleaned, without leading slash, never rising above the root. '' is the root itself. */
export function relativeToRoot(path: string): string {
  return cleanPath(`/${path}`).slice(1)
}
