/** RUN: one process in the stage's root filesystem, one layer. */
import { tryHeredocHead } from '../../dockerfile/heredoc.ts'
import { plainCopy } from '../../graph/file-op.ts'
import type { FileStep, RunMount, RunStep, SourceStep } from '../../graph/step.ts'
import { type ResolvedMount, resolveMount } from '../../instructions/mount.ts'
import type { RunNode } from '../../instructions/nodes.ts'
import { cleanPath } from '../../util/inroot.ts'
import type { InstructionContext, InstructionPlanner } from '../context.ts'
import { planErrors } from '../errors.ts'
import { resolvePath } from '../paths.ts'
import type { StageState } from '../stage-state.ts'

/** Where a heredoc script is mounted while it runs. */
const SCRIPT_DIRECTORY = '/dev/pipes'

export const planRun: InstructionPlanner<RunNode> = (node, stage, context) => {
  const { options } = context
  const command = commandLine(node, stage)
  const mounts = node.mounts.map((mount) =>
    resolveMount(mount, (text) => stage.expand(text, node.raw), { cwd: stage.cwd }),
  )
  const network = node.network ?? options.network
  if (node.network === 'host' && !options.allow.has('network.host')) throw planErrors.notAllowed(['network.host'])
  if (node.security === 'insecure' && !options.allow.has('security.insecure'))
    throw planErrors.notAllowed(['security.insecure'])
  const device = node.devices.find(({ required }) => required)
  if (device) throw planErrors.deviceMissing([device.name])

  const masked = new Map(
    mounts.flatMap((m) => (m.type === 'secret' && m.env !== undefined ? [[m.env, '****'] as const] : [])),
  )
  const shown = { get: (name: string) => masked.get(name) ?? stage.env.get(name) }
  const label = stage.expander.label(node.raw.original, shown, true) + command.summary
  const step: RunStep = {
    kind: 'run',
    name: context.stepName(label),
    at: context.at,
    noCache: context.noCache,
    parent: stage.rootfs,
    args: command.args,
    script: command.script,
    env: stage.env.toArray(),
    proxyEnv: context.proxyEnv,
    cwd: resolvePath('/', stage.cwd, false),
    user: stage.config.User ?? '',
    mounts: mounts.flatMap((mount, i) => runMount(mount, context.sources[i], stage, context) ?? []),
    network,
    security: node.security ?? 'sandbox',
    hostname: options.hostname,
    extraHosts: options.extraHosts,
    shmSize: options.shmSize,
    ulimits: options.ulimits,
    platform: stage.platform,
    mtime: context.epoch,
  }
  stage.rootfs = step
  stage.commit(`RUN ${historyText(command.args, stage)}`, { layer: true, buildkit: true })
}

interface RunCommand {
  readonly args: readonly string[]
  readonly script: RunStep['script']
  /** ` (first line...)` of a heredoc. */
  readonly summary: string
}

function commandLine(node: RunNode, stage: StageState): RunCommand {
  const { command } = node
  if (command.form === 'exec') return { args: command.args, script: undefined, summary: '' }
  const [first] = command.heredocs
  if (first === undefined) return { args: [...stage.shell, command.text], script: undefined, summary: '' }
  if (tryHeredocHead(command.text)) {
    const summary = ` (${summarize(first.content)})`
    if (stage.image.os !== 'windows' && first.content.startsWith('#!')) {
      const path = `${SCRIPT_DIRECTORY}/${first.name}`
      return { args: [...stage.shell, path], script: { path, content: first.content }, summary }
    }
    return { args: [...stage.shell, first.content], script: undefined, summary }
  }
  // The shell handles the heredocs itself: give it the text as it was written.
  const text = command.text + command.heredocs.map((h) => `\n${h.raw}${h.name}`).join('')
  return { args: [...stage.shell, text], script: undefined, summary: '' }
}

function summarize(content: string): string {
  const lines = content.trim().split(/\r?\n/)
  return `${lines[0]}${lines.length > 1 ? '...' : ''}`
}

function historyText(args: readonly string[], stage: StageState): string {
  const values = stage.args.entries().map(([name, value]) => `${name}=${stage.env.get(name) ?? value}`)
  return [...(values.length > 0 ? [`|${values.length}`, ...values] : []), ...args].join(' ')
}

function runMount(
  mount: ResolvedMount,
  source: SourceStep | 'scratch' | undefined,
  stage: StageState,
  context: InstructionContext,
): RunMount | undefined {
  const target = mount.target === undefined ? undefined : resolvePath(stage.cwd, mount.target, false)
  switch (mount.type) {
    case 'bind': {
      if (source === 'scratch') return undefined
      const { readonly } = mount
      if (isContext(source)) {
        const from = mountedContext(source ?? context.context, mount.source, context)
        return { type: 'bind', from, source: MOUNTED, target: target!, readonly }
      }
      return { type: 'bind', from: source!, source: cleanPath(`/${mount.source}`), target: target!, readonly }
    }
    case 'cache': {
      const { id, sharing, readonly, mode, uid, gid } = mount
      const rest = { type: 'cache', id, target: target!, sharing, readonly, mode, uid, gid } as const
      if (source === undefined || source === 'scratch')
        return { ...rest, from: undefined, source: cleanPath(`/${mount.source}`) }
      if (isContext(source)) return { ...rest, from: mountedContext(source, mount.source, context), source: MOUNTED }
      return { ...rest, from: source, source: cleanPath(`/${mount.source}`) }
    }
    case 'tmpfs':
      return { type: 'tmpfs', target: target!, size: mount.size }
    case 'secret': {
      const { id, env, required, mode, uid, gid } = mount
      return { type: 'secret', id, target, env, required, mode, uid, gid }
    }
    case 'ssh': {
      const { id, required, mode, uid, gid } = mount
      return { type: 'ssh', id, target, required, mode, uid, gid }
    }
  }
}

/** Where {@link mountedContext} puts what a mount shows. */
const MOUNTED = '/mounted'

/**
 * The part of a context that a mount shows, as a root filesystem of its own: ignore rules apply, and the caller's files
 * cannot be written to.
 */
function mountedContext(from: SourceStep, source: string, context: InstructionContext): FileStep {
  const path = cleanPath(`/${source}`)
  return {
    kind: 'file',
    name: `[internal] mount ${path} from ${from.name}`,
    at: context.at,
    noCache: false,
    parent: undefined,
    link: false,
    ops: [
      {
        op: plainCopy(path, MOUNTED),
        from,
      },
    ],
  }
}

function isContext(source: SourceStep | 'scratch' | undefined): boolean {
  return source === undefined || (source !== 'scratch' && source.kind === 'context')
}
