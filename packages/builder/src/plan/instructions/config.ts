/** Instructions that only change the image config: each leaves one history entry without a layer. */

import { instructionErrors } from '../../instructions/errors.ts'
import type {
  CmdNode,
  CommandLine,
  EntrypointNode,
  EnvNode,
  HealthcheckNode,
  LabelNode,
  MaintainerNode,
  OnbuildNode,
  ShellNode,
  StopsignalNode,
  UserNode,
  VolumeNode,
} from '../../instructions/nodes.ts'
import { goDuration } from '../../util/go-duration.ts'
import { quote as goQuote } from '../../util/go-text.ts'
import type { InstructionPlanner } from '../context.ts'
import { planErrors } from '../errors.ts'
import { isSignal } from '../signals.ts'
import type { StageState } from '../stage-state.ts'

export const planEnv: InstructionPlanner<EnvNode> = (node, stage) => {
  // All words see the environment as it was before this instruction.
  const pairs = node.pairs.map((p) => [stage.expand(p.key, node.raw), stage.expand(p.value, node.raw)] as const)
  for (const [key, value] of pairs) {
    stage.env.set(key, value)
    stage.imageEnv.set(key, value)
  }
  stage.commit(`ENV ${pairs.map(([k, v]) => `${k}=${v}`).join(' ')}`, { layer: false })
}

export const planLabel: InstructionPlanner<LabelNode> = (node, stage) => {
  const pairs = node.pairs.map((p) => [stage.expand(p.key, node.raw), stage.expand(p.value, node.raw)] as const)
  for (const [key, value] of pairs) stage.labels.set(key, value)
  stage.commit(`LABEL ${pairs.map(([k, v]) => `${k}=${v}`).join(' ')}`, { layer: false })
}

function argv(command: CommandLine, stage: StageState): string[] {
  return command.form === 'exec' ? [...command.args] : [...stage.shell, command.text]
}

const listed = (args: readonly string[]): string => `[${args.map(goQuote).join(' ')}]`

export const planCmd: InstructionPlanner<CmdNode> = (node, stage) => {
  const args = argv(node.command, stage)
  stage.cmdSet = true
  stage.config.Cmd = args
  stage.config.ArgsEscaped = true
  stage.commit(`CMD ${listed(args)}`, { layer: false })
}

export const planEntrypoint: InstructionPlanner<EntrypointNode> = (node, stage) => {
  const args = argv(node.command, stage)
  stage.config.Entrypoint = args
  // The CMD of the base image was meant for the base image's entrypoint.
  if (!stage.cmdSet) delete stage.config.Cmd
  stage.commit(`ENTRYPOINT ${listed(args)}`, { layer: false })
}

export const planHealthcheck: InstructionPlanner<HealthcheckNode> = (node, stage) => {
  const { test, interval, timeout, startPeriod, startInterval, retries } = node
  stage.config.Healthcheck = {
    Test: [...test],
    ...(interval && { Interval: interval }),
    ...(timeout && { Timeout: timeout }),
    ...(startPeriod && { StartPeriod: startPeriod }),
    ...(startInterval && { StartInterval: startInterval }),
    ...(retries && { Retries: retries }),
  }
  const times = [interval, timeout, startPeriod, startInterval].map(goDuration)
  stage.commit(
    `HEALTHCHECK {Test:[${test.join(' ')}] Interval:${times[0]} Timeout:${times[1]} StartPeriod:${times[2]} StartInterval:${times[3]} Retries:${retries}}`,
    { layer: false },
  )
}

export const planUser: InstructionPlanner<UserNode> = (node, stage) => {
  const user = stage.expand(node.user, node.raw)
  stage.config.User = user
  stage.commit(`USER ${user}`, { layer: false })
}

export const planVolume: InstructionPlanner<VolumeNode> = (node, stage) => {
  const paths = node.paths.map((p) => stage.expand(p, node.raw))
  if (paths.includes('')) throw instructionErrors.emptyVolume([])
  for (const path of paths) stage.volumes.set(path, true)
  stage.commit(`VOLUME [${paths.join(' ')}]`, { layer: false })
}

export const planStopsignal: InstructionPlanner<StopsignalNode> = (node, stage) => {
  const signal = stage.expand(node.signal, node.raw)
  if (!isSignal(signal)) throw planErrors.badSignal([signal])
  stage.config.StopSignal = signal
  stage.commit(`STOPSIGNAL ${signal}`, { layer: false })
}

export const planShell: InstructionPlanner<ShellNode> = (node, stage) => {
  stage.config.Shell = [...node.shell]
  stage.commit(`SHELL [${node.shell.join(' ')}]`, { layer: false })
}

export const planMaintainer: InstructionPlanner<MaintainerNode> = (node, stage) => {
  stage.image.author = node.maintainer
  stage.commit(`MAINTAINER ${node.maintainer}`, { layer: false })
}

/** ONBUILD leaves no history of its own: the trigger is kept for the child image. */
export const planOnbuild: InstructionPlanner<OnbuildNode> = (node, stage) => {
  stage.triggers.push(node.expression)
}
