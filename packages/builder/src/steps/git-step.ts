/** ADD of a git repository: a checkout in a temporary directory, read like a context. */
import { type FetchOptions, fetchGit } from '../context/git.ts'
import { openLocalContext } from '../context/local.ts'
import type { GitStep } from '../graph/step.ts'
import type { StepHandler } from './types.ts'

/** @param directory gives a new empty directory that lives as long as the build */
export function gitHandler({
  directory,
  ...services
}: Omit<FetchOptions, 'signal'> & { directory: () => Promise<string> }): StepHandler<GitStep> {
  return {
    kind: 'git',
    key: async () => undefined,
    async run({ step, signal }) {
      const fetched = await fetchGit(step, await directory(), { ...services, signal })
      return { kind: 'tree', tree: openLocalContext(fetched.directory) }
    },
  }
}
