/** RUN: resolves secrets and sources in the main process, runs in the worker. */
import { type BuildError, defineError } from '../errors.ts'
import { hashKey, snapshotName, stepKey } from '../graph/key.ts'
import type { RunMount, RunStep, SourceStep } from '../graph/step.ts'
import { isExecFailure } from '../sandbox/errors.ts'
import type { ResourceLimits } from '../sandbox/executor.ts'
import type { SnapshotId } from '../snapshot/snapshotter.ts'
import { withExecHint } from './exec-hint.ts'
import type { LayerService } from './layers.ts'
import { LogTail } from './log-tail.ts'
import { EMPTY_ROOTFS, onTop, type RootfsResult, type StepHandler, type StepResult, type Visit } from './types.ts'
import type { RunMountSpec, RunOutcome, RunParams, WorkerClient } from './worker-api.ts'

export const runErrors = {
  processFailed: defineError({
    code: 'RUN_FAILED',
    doc: 'The process of a RUN ended with an exit code other than 0.',
    message: (command: string, exitCode: number, more: string) =>
      `process ${JSON.stringify(command)} did not complete successfully: exit code: ${exitCode}${more}`,
  }),
  timedOut: defineError({
    code: 'RUN_TIMEOUT',
    doc: 'The process of a RUN took longer than --run-timeout allows and was killed.',
    message: (command: string, seconds: number) =>
      `process ${JSON.stringify(command)} did not complete within ${seconds} s`,
    hint: '--run-timeout sets how long a RUN may take',
  }),
  secretMissing: defineError({
    code: 'SECRET_NOT_FOUND',
    doc: 'A RUN needs a secret that was not given with --secret, or whose environment variable is not set.',
    message: (id: string) => `secret ${id}: not found`,
    hint: (id: string) =>
      `pass it with --secret id=${id},src=FILE, or with --secret id=${id},env=NAME and the variable NAME set`,
  }),
  secretInLayer: defineError({
    code: 'SECRET_IN_LAYER',
    doc: 'A RUN wrote a secret that was mounted for it into a file of the image, where everybody who can pull it can read it.',
    message: (path: string) => `a secret of this RUN was found in ${path}, which would become part of the image`,
    hint: 'delete the file within the same RUN, or pass --allow-secrets-in-layers if the image may hold it',
  }),
  sshMissing: defineError({
    code: 'SSH_NOT_FOUND',
    doc: 'A RUN needs an SSH agent that was not given with --ssh.',
    message: (id: string) => `unset ssh forward key ${id}`,
    hint: (id: string) => `pass --ssh ${id}[=SOCKET|KEY]`,
  }),
}

/** Opens the agent socket that one step may use; disposed when the step ends. */
export interface SshProvider {
  /** undefined when no such id was given. */
  open(id: string): Promise<({ path: string } & AsyncDisposable) | undefined>
}

export interface RunServices {
  readonly layers: LayerService
  readonly worker: WorkerClient
  /** Content of a secret; undefined when it was not given. */
  readonly secret: (id: string, signal: AbortSignal) => Promise<Uint8Array | undefined>
  readonly ssh: SshProvider
  readonly now: () => number
  /** A random text: two runs of the same step give different results. */
  readonly nonce: () => string
  readonly dns: readonly string[]
  readonly isolatedNetwork: boolean
  readonly resources: ResourceLimits
  readonly cgroupParent: string | undefined
  readonly timeout: number | undefined
  readonly retries: number
  readonly allowSecretsInLayers: boolean
  /** What root filesystems lack here that others have; undefined: nothing. Part of the key. */
  readonly lacking: string | undefined
  /** What becomes of root filesystems that a failed RUN leaves; undefined: they are thrown away. */
  readonly failures: FailureHandler | undefined
  /** Told of every cache mount before it is opened: may give it its first content. */
  readonly beforeCache: (mount: RunMountSpec & { type: 'cache' }, signal: AbortSignal) => Promise<void>
}

/** A RUN that failed for good. */
export interface FailedRun {
  readonly step: RunStep
  /** What was run; its mounts are open until the handler has settled. */
  readonly params: RunParams
  /** The snapshot of what the process wrote; the handler's to remove. */
  readonly kept: SnapshotId
  readonly error: BuildError
}

/** Looks after a failed RUN; returns the error that the build ends with. */
export type FailureHandler = (failed: FailedRun) => Promise<BuildError>

/** Host name of RUN's containers; the reference's, so that what prints it is the same. */
const HOSTNAME = 'buildkitsandbox'

export function runHandler(services: RunServices): StepHandler<RunStep> {
  return {
    kind: 'run',

    async key(visit) {
      const { step } = visit
      const { name: _n, at: _a, noCache: _c, parent: _p, proxyEnv: _e, mounts, ...data } = step
      return stepKey(
        'run',
        ['below', identity(step.parent && visit.input(step.parent))],
        ['process', data],
        ['mounts', mounts.map((m) => keyedMount(m, visit))],
        ['isolation', services.isolatedNetwork && step.network === 'default' ? 'isolated' : undefined],
        // A layer that nobody has looked through for secrets is no result for whoever wants that.
        ['secrets', services.allowSecretsInLayers && mounts.some((m) => m.type === 'secret') ? 'unscanned' : undefined],
        ['lacking', services.lacking],
      )
    },

    async run(visit, key) {
      const { step } = visit
      const parent = step.parent === undefined ? EMPTY_ROOTFS : (visit.input(step.parent) as RootfsResult)
      await using inputs = new RunInputs(visit, services)
      const stack = await services.layers.snapshots(parent.stack)
      for (const mount of step.mounts) await inputs.add(mount)
      for (const mount of inputs.mounts) if (mount.type === 'cache') await services.beforeCache(mount, visit.signal)
      for (let attempt = 0; ; attempt++) {
        const started = services.now()
        const made = { key: key!, nonce: services.nonce() }
        const id = snapshotName({ kind: 'run', ...made })
        const tail = new LogTail()
        const last = attempt >= services.retries
        const kept = services.failures && `failed-${hashKey('failed', id)}`
        const params = runParams(step, stack, { id, keep: kept }, inputs, services)
        const outcome = await runOnce(params, visit, tail, services).catch(async (caught: unknown) => {
          // The same would happen again: this attempt is the last.
          if (!isExecFailure(caught)) throw caught
          const error = withExecHint(caught, step.platform)
          if (services.failures === undefined || kept === undefined) throw error
          await visit.giveUp()
          throw await services.failures({ step, params, kept, error: error.with({ step: step.name, at: step.at }) })
        })
        if (outcome.status === 'succeeded') {
          services.layers.added(id)
          const created = services.now()
          return onTop(parent, {
            snapshot: id,
            made,
            created,
            started,
            known: undefined,
            source: undefined,
            alone: false,
          })
        }
        if (!last && outcome.status !== 'secret') {
          const how = outcome.status === 'timeout' ? 'took too long' : `failed with exit code ${outcome.exitCode}`
          const text = `attempt ${attempt + 1} of ${services.retries + 1} ${how}; trying again from a clean snapshot\n`
          visit.log('stderr', Buffer.from(text))
          if (kept) await services.worker.call('snapshot.remove', { ids: [kept] }, { signal: visit.signal })
          continue
        }
        const error = failure(outcome, step, tail, services)
        if (services.failures === undefined || kept === undefined || outcome.status === 'secret') throw error
        await visit.giveUp()
        throw await services.failures({ step, params, kept, error })
      }
    },
  }
}

async function runOnce(
  params: RunParams,
  visit: Visit<RunStep>,
  tail: LogTail,
  { worker }: RunServices,
): Promise<RunOutcome> {
  return await worker.call('run', params, {
    signal: visit.signal,
    onEvent: (event) => {
      if (event.type !== 'log') return
      const data = Buffer.from(event.data)
      tail.add(data)
      visit.log(event.stream, data)
    },
  })
}

function runParams(
  step: RunStep,
  stack: readonly SnapshotId[],
  names: Pick<RunParams, 'id' | 'keep'>,
  inputs: RunInputs,
  services: RunServices,
): RunParams {
  const hidden = new Set(inputs.env.map(nameOf))
  const env = [...step.proxyEnv, ...step.env].filter((e) => !hidden.has(nameOf(e)))
  const outbound = services.isolatedNetwork && step.network === 'default' ? 'isolated' : 'host'
  return {
    stack,
    ...names,
    interaction: undefined,
    args: step.args,
    script: step.script,
    env: [...env, ...inputs.env],
    cwd: step.cwd,
    user: step.user,
    mounts: inputs.mounts,
    network: step.network === 'none' ? 'none' : outbound,
    security: step.security,
    hostname: step.hostname ?? HOSTNAME,
    extraHosts: step.extraHosts,
    dns: services.dns,
    shmSize: step.shmSize,
    ulimits: step.ulimits,
    resources: services.resources,
    cgroupParent: services.cgroupParent,
    timeout: services.timeout,
    scanFor: services.allowSecretsInLayers ? [] : inputs.secrets,
    mtime: step.mtime,
  }
}

function nameOf(variable: string): string {
  return variable.slice(0, variable.indexOf('='))
}

function failure(
  outcome: Exclude<RunOutcome, { status: 'succeeded' }>,
  step: RunStep,
  tail: LogTail,
  services: RunServices,
): BuildError {
  const command = step.args.join(' ')
  const details = { logTail: tail.lines(), step: step.name, at: step.at }
  if (outcome.status === 'timeout') return runErrors.timedOut([command, services.timeout! / 1000], details)
  if (outcome.status === 'secret') return runErrors.secretInLayer([outcome.path], { step: step.name, at: step.at })
  const { exitCode, oomKilled, signal, peakMemory } = outcome
  const peak = peakMemory === undefined ? '' : ` at ${Math.round(peakMemory / 1048576)} MiB`
  const more = oomKilled ? `: killed by the out-of-memory killer${peak}` : signal ? ` (${signal})` : ''
  const hint = oomKilled ? '--resource memory=SIZE sets how much memory a RUN may use' : undefined
  return runErrors.processFailed([command, exitCode, more], { ...details, exitCode, hint })
}

function identity(result: StepResult | undefined): string {
  return result?.kind === 'rootfs' ? result.identity : 'scratch'
}

/** What of a mount decides the result: content that is mounted, not secrets nor what a cache holds. */
function keyedMount(mount: RunMount, visit: Visit<RunStep>): unknown {
  if (mount.type === 'bind' || mount.type === 'cache') {
    const { from, ...rest } = mount
    return { ...rest, from: identity(from && visit.input(from)) }
  }
  return mount
}

/** What the mounts of one RUN bring along; disposing it ends what was opened for them. */
class RunInputs implements AsyncDisposable {
  readonly mounts: RunMountSpec[] = []
  /** `NAME=value` of secrets and agent sockets. */
  readonly env: string[] = []
  readonly secrets: Uint8Array[] = []
  readonly #visit: Visit<RunStep>
  readonly #services: RunServices
  readonly #resources = new AsyncDisposableStack()
  #agents = 0

  constructor(visit: Visit<RunStep>, services: RunServices) {
    this.#visit = visit
    this.#services = services
  }

  async add(mount: RunMount): Promise<void> {
    switch (mount.type) {
      case 'bind': {
        const { source, target, readonly } = mount
        this.mounts.push({ type: 'bind', stack: await this.#stack(mount.from), source, target, readonly })
        return
      }
      case 'cache': {
        const { from, ...rest } = mount
        const seed = from && (await this.#stack(from))
        this.mounts.push({ ...rest, seed, renew: this.#visit.step.noCache })
        return
      }
      case 'tmpfs':
        this.mounts.push(mount)
        return
      case 'secret':
        await this.#secret(mount)
        return
      case 'ssh':
        await this.#agent(mount)
        return
    }
  }

  async #stack(from: SourceStep): Promise<readonly string[]> {
    const input = this.#visit.input(from)
    return input.kind === 'rootfs' ? await this.#services.layers.snapshots(input.stack) : []
  }

  async #secret({ id, required, env, target, mode, uid, gid }: RunMount & { type: 'secret' }): Promise<void> {
    const content = await this.#services.secret(id, this.#visit.signal)
    if (content === undefined) {
      if (required) throw runErrors.secretMissing([id])
      return
    }
    this.secrets.push(content)
    if (env !== undefined) this.env.push(`${env}=${Buffer.from(content).toString('utf8')}`)
    if (target !== undefined) this.mounts.push({ type: 'secret', target, content, mode, uid, gid })
  }

  async #agent({ id, required, target: wanted, mode, uid, gid }: RunMount & { type: 'ssh' }): Promise<void> {
    const agent = await this.#services.ssh.open(id)
    if (agent === undefined) {
      if (required) throw runErrors.sshMissing([id])
      return
    }
    this.#resources.use(agent)
    const target = wanted ?? `/run/buildkit/ssh_agent.${this.#agents++}`
    this.env.push(`SSH_AUTH_SOCK=${target}`)
    this.mounts.push({ type: 'socket', path: agent.path, target, mode, uid, gid })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync()
  }
}
