/** Build contexts: opened by the main process, keyed by whoever reads files of them. */
import type { Tree } from '../context/tree.ts'
import type { ContextStep } from '../graph/step.ts'
import type { StepHandler } from './types.ts'

/** @param open opens a context of the build by its key, once */
export function contextHandler(open: (context: string) => Promise<Tree>): StepHandler<ContextStep> {
  return {
    kind: 'context',
    key: async () => undefined,
    run: async ({ step }) => ({ kind: 'tree', tree: await open(step.context) }),
  }
}
