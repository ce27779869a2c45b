import { getCompileCacheDir } from 'node:module'
import { dirname, join } from 'node:path'

/**
 * Where a process that we start keeps compiled code: this process's own cache where it has one, which an empty state
 * directory does not make cold.
 *
 * @param root the state directory
 */
export function compileCacheFor(root: string): string {
  const own = getCompileCacheDir()
  return own === undefined ? join(root, 'compile-cache') : dirname(own)
}
