/** RUN: resolves secrets and sources in the main process, runs in the worker. */
import { defineError } from '../errors.ts'
import { hashKey } from '../graph/key.ts'
import type { RunMount, RunStep } from '../graph/step.ts'
import type { ResourceLimits } from '../sandbox/executor.ts'
import type { LayerService } from './layers.ts'
import { LogTail } from './log-tail.ts'
import { EMPTY_ROOTFS, type RootfsResult, type StepHandler, type StepResult, type Visit } from './types.ts'
import type { RunMountSpec, WorkerClient } from './worker-api.ts'

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
  }),
  secretMissing: defineError({
    code: 'SECRET_NOT_FOUND',
    doc: 'A RUN needs a secret that was not given with --secret.',
    message: (id: string) => `secret ${id}: not found`,
    hint: (id: string) => `pass it with --secret id=${id},src=FILE or --secret id=${id},env=NAME`,
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
}

/** Host name of RUN's containers; the reference's, so that what prints it is the same. */
const HOSTNAME = 'buildkitsandbox'

export function runHandler(services: RunServices): StepHandler<RunStep> {
  return {
    kind: 'run',

    async key(visit) {
      const { step } = visit
      const { name: _n, at: _a, noCache: _c, parent: _p, proxyEnv: _e, mounts, ...data } = step
      return hashKey(
        'run',
        identity(step.parent && visit.input(step.parent)),
        data,
        mounts.map((m) => keyedMount(m, visit)),
      )
    },

    async run(visit, key) {
      const { layers, worker, now, nonce } = services
      const { step, signal } = visit
      const parent = step.parent === undefined ? EMPTY_ROOTFS : (visit.input(step.parent) as RootfsResult)
      await using resources = new AsyncDisposableStack()
      const secretEnv: string[] = []
      const stack = await layers.snapshots(parent.stack)
      const mounts: RunMountSpec[] = []
      for (const mount of step.mounts) mounts.push(...(await mountSpec(mount, visit, services, resources, secretEnv)))
      const hidden = new Set(secretEnv.map((e) => e.slice(0, e.indexOf('='))))
      const env = [...step.proxyEnv, ...step.env].filter((e) => !hidden.has(e.slice(0, e.indexOf('='))))
      for (let attempt = 0; ; attempt++) {
        const started = now()
        const id = `run-${hashKey('result', key, nonce())}`
        const tail = new LogTail()
        const outcome = await worker.call(
          'run',
          {
            stack,
            id,
            args: step.args,
            script: step.script,
            env: [...env, ...secretEnv],
            cwd: step.cwd,
            user: step.user,
            mounts,
            network:
              step.network === 'none'
                ? 'none'
                : services.isolatedNetwork && step.network === 'default'
                  ? 'isolated'
                  : 'host',
            security: step.security,
            hostname: step.hostname ?? HOSTNAME,
            extraHosts: step.extraHosts,
            dns: services.dns,
            shmSize: step.shmSize,
            ulimits: step.ulimits,
            resources: services.resources,
            cgroupParent: services.cgroupParent,
            timeout: services.timeout,
          },
          {
            signal,
            onEvent: (event) => {
              if (event.type !== 'log') return
              const data = Buffer.from(event.data)
              tail.add(data)
              visit.log(event.stream, data)
            },
          },
        )
        if (outcome.status === 'committed') {
          layers.added(id)
          const layer = { snapshot: id, created: now(), started, known: undefined, image: undefined }
          return { kind: 'rootfs', identity: id, stack: [...parent.stack, layer] }
        }
        if (attempt < services.retries) continue
        if (outcome.status === 'timeout')
          throw runErrors.timedOut([step.args.join(' '), services.timeout! / 1000], {
            logTail: tail.lines(),
            step: step.name,
            at: step.at,
          })
        const peak = outcome.peakMemory === undefined ? '' : ` at ${Math.round(outcome.peakMemory / 1048576)} MiB`
        const more = outcome.oomKilled
          ? `: killed by the out-of-memory killer${peak}`
          : outcome.signal
            ? ` (${outcome.signal})`
            : ''
        throw runErrors.processFailed([step.args.join(' '), outcome.exitCode, more], {
          exitCode: outcome.exitCode,
          logTail: tail.lines(),
          step: step.name,
          at: step.at,
        })
      }
    },
  }
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

async function mountSpec(
  mount: RunMount,
  visit: Visit<RunStep>,
  services: RunServices,
  resources: AsyncDisposableStack,
  secretEnv: string[],
): Promise<RunMountSpec[]> {
  const stackOf = async (from: RunMount & { type: 'bind' | 'cache' }): Promise<readonly string[]> => {
    const input = from.from && visit.input(from.from)
    return input?.kind === 'rootfs' ? await services.layers.snapshots(input.stack) : []
  }
  switch (mount.type) {
    case 'bind': {
      const { source, target, readonly } = mount
      return [{ type: 'bind', stack: await stackOf(mount), source, target, readonly }]
    }
    case 'cache': {
      const { from, ...rest } = mount
      return [{ ...rest, seed: from === undefined ? undefined : await stackOf(mount), renew: visit.step.noCache }]
    }
    case 'tmpfs':
      return [mount]
    case 'secret': {
      const content = await services.secret(mount.id, visit.signal)
      if (content === undefined) {
        if (mount.required) throw runErrors.secretMissing([mount.id])
        return []
      }
      if (mount.env !== undefined) secretEnv.push(`${mount.env}=${Buffer.from(content).toString('utf8')}`)
      const { target, mode, uid, gid } = mount
      return target === undefined ? [] : [{ type: 'secret', target, content, mode, uid, gid }]
    }
    case 'ssh': {
      const agent = await services.ssh.open(mount.id)
      if (agent === undefined) {
        if (mount.required) throw runErrors.sshMissing([mount.id])
        return []
      }
      resources.use(agent)
      const target =
        mount.target ?? `/run/buildkit/ssh_agent.${visit.step.mounts.filter((m) => m.type === 'ssh').indexOf(mount)}`
      secretEnv.push(`SSH_AUTH_SOCK=${target}`)
      const { mode, uid, gid } = mount
      return [{ type: 'socket', path: agent.path, target, mode, uid, gid }]
    }
  }
}
