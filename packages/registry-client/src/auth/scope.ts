/**
 * Token scopes (distribution's "Token Scope Documentation"): `repository:library/busybox:pull,push`.
 */

/** The scope to read, or to read and write, a repository. */
export function repositoryScope(repository: string, ...actions: readonly ('pull' | 'push' | 'delete' | '*')[]): string {
  return `repository:${repository}:${actions.join(',')}`
}

/**
 * Scopes merged by resource with sorted actions: the canonical form that tokens are cached under. Scopes of no known
 * form are kept as they are.
 */
export function mergeScopes(scopes: Iterable<string>): string[] {
  const actions = new Map<string, Set<string>>()
  for (const scope of scopes) {
    for (const part of scope.split(/\s+/).filter(Boolean)) {
      const colon = part.lastIndexOf(':')
      const resource = part.slice(0, Math.max(colon, 0))
      const known = actions.get(resource) ?? new Set()
      for (const action of part.slice(colon + 1).split(',')) known.add(action)
      actions.set(resource, known)
    }
  }
  return [...actions]
    .map(([resource, set]) =>
      resource === '' ? [...set].sort().join(',') : `${resource}:${[...set].sort().join(',')}`,
    )
    .sort()
}

/** true when a token for `held` may do everything in `wanted`. Both in the form of {@link mergeScopes}. */
export function coversScopes(held: readonly string[], wanted: readonly string[]): boolean {
  return wanted.every((scope) => {
    const colon = scope.lastIndexOf(':')
    const resource = scope.slice(0, colon)
    return held.some((other) => {
      if (other === scope) return true
      const at = other.lastIndexOf(':')
      if (other.slice(0, at) !== resource) return false
      const actions = other.slice(at + 1).split(',')
      return scope
        .slice(colon + 1)
        .split(',')
        .every((action) => actions.includes(action))
    })
  })
}
