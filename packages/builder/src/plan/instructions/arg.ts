/** ARG inside a stage: `--build-arg` wins, then the default, then the global argument of the same name. */
import type { ArgNode } from '../../instructions/nodes.ts'
import type { InstructionPlanner } from '../context.ts'

/** Arguments that steer the build and never become environment variables. */
const NOT_IN_ENVIRONMENT = new Set(['BUILDKIT_SBOM_SCAN_CONTEXT', 'BUILDKIT_SBOM_SCAN_STAGE'])

export const planArg: InstructionPlanner<ArgNode> = (node, stage, { buildArgs, globalArgs }) => {
  const parts: string[] = []
  for (const { key, value: fallback } of node.args) {
    let value = buildArgs.get(key)
    if (value === undefined && fallback !== undefined) value = stage.expand(fallback, node.raw)
    if (value === undefined && fallback === undefined) value = globalArgs.get(key)
    if (value !== undefined && !NOT_IN_ENVIRONMENT.has(key)) stage.env.set(key, value)
    stage.args.set(key, value ?? '')
    parts.push(value === undefined ? key : `${key}=${value}`)
  }
  stage.commit(`ARG ${parts.join(' ')}`, { layer: false })
}
