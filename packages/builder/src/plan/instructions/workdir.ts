/** WORKDIR: sets the directory, makes what is missing of it as the current USER. */
import type { WorkdirNode } from '../../instructions/nodes.ts'
import type { InstructionPlanner } from '../context.ts'
import { parseOwner } from '../owner.ts'

export const planWorkdir: InstructionPlanner<WorkdirNode> = (node, stage, context) => {
  const path = stage.setDirectory(stage.expand(node.path, node.raw))
  if (path !== '/') {
    stage.rootfs = {
      kind: 'file',
      name: context.stepName(stage.expander.label(node.raw.original, stage.env)),
      at: context.at,
      noCache: context.noCache,
      parent: stage.rootfs,
      link: false,
      ops: [
        {
          op: {
            op: 'mkdir',
            path,
            mode: 0o755,
            owner: stage.config.User ? parseOwner(stage.config.User) : undefined,
            mtime: context.epoch,
          },
          from: undefined,
        },
      ],
    }
  }
  stage.commit(`WORKDIR ${path}`, { layer: path !== '/' })
}
