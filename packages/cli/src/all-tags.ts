/** `--all-tags` of push and pull. */
import { formatReference, parseReference } from '@tsbuild/registry-client'
import { UsageError } from './usage-error.ts'

/** The repository that a name without a tag or digest stands for, as names begin that are in it. */
export function repositoryOf(name: string): string {
  const reference = parseReference(name)
  if (reference.tag === undefined && reference.digest === undefined) return formatReference(reference)
  throw new UsageError("tag can't be used with --all-tags/-a", 'name the repository alone')
}
