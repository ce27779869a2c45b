/** How each kind of instruction changes a stage: one line per kind; a missing one is a compile error. */
import type { InstructionNode } from '../../instructions/nodes.ts'
import type { InstructionContext, InstructionPlanner } from '../context.ts'
import type { StageState } from '../stage-state.ts'
import { planArg } from './arg.ts'
import {
  planCmd,
  planEntrypoint,
  planEnv,
  planHealthcheck,
  planLabel,
  planMaintainer,
  planOnbuild,
  planShell,
  planStopsignal,
  planUser,
  planVolume,
} from './config.ts'
import { planCopy } from './copy.ts'
import { planExpose } from './expose.ts'
import { planRun } from './run.ts'
import { planWorkdir } from './workdir.ts'

type Kinds = Exclude<InstructionNode['kind'], 'FROM'>

const planners: { readonly [K in Kinds]: InstructionPlanner<never> } = {
  ADD: planCopy,
  ARG: planArg,
  CMD: planCmd,
  COPY: planCopy,
  ENTRYPOINT: planEntrypoint,
  ENV: planEnv,
  EXPOSE: planExpose,
  HEALTHCHECK: planHealthcheck,
  LABEL: planLabel,
  MAINTAINER: planMaintainer,
  ONBUILD: planOnbuild,
  RUN: planRun,
  SHELL: planShell,
  STOPSIGNAL: planStopsignal,
  USER: planUser,
  VOLUME: planVolume,
  WORKDIR: planWorkdir,
}

/** Plans one instruction; FROM is the stage itself and has no planner. */
export function planInstruction(node: InstructionNode, stage: StageState, context: InstructionContext): void {
  if (node.kind === 'FROM') return
  const plan = planners[node.kind] as InstructionPlanner<InstructionNode>
  plan(node, stage, context)
}
