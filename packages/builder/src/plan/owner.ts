import type { ChownSpec } from '../graph/file-op.ts'

/** Splits `user[:group]`; an empty user is root, an empty group the user's own. */
export function parseOwner(text: string): ChownSpec {
  const at = text.indexOf(':')
  const user = at < 0 ? text : text.slice(0, at)
  const group = at < 0 ? '' : text.slice(at + 1)
  return { user: user || '0', group: group || undefined }
}
