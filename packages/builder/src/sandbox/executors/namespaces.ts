/**
 * The default executor: a clone in namespaces of its own for every process (cloner/), with the mounts that a container
 * has. At the end, mount points that were made are removed.
 */
import { throwIfAborted } from '../../errors.ts'
import { LastingCloner } from '../cloner/lasting-cloner.ts'
import { runClone } from '../cloner/run.ts'
import type { Executor, ProcessExit, ProcessIO, ProcessSpec } from '../executor.ts'
import type { InitSpec } from '../init-protocol.ts'
import { attachNetwork, type NetworkHelpers } from '../isolated-network.ts'
import { withGroup } from '../limits/with-group.ts'
import { removeStubs, type Stub } from '../mounts/stubs.ts'
import { STAGED_FLAGS, suitsStage } from '../namespaces/stage.ts'
import { CLONE } from '../native/process.ts'
import { compileProfile } from '../seccomp/compile.ts'

/** What the worker knows about its machine when it makes the executor. */
export interface NamespacesOptions {
  /** Only one user id is mapped: no other users, no groups. */
  readonly singleId: boolean
  /** The `sandbox` mode's filter; undefined where the kernel has none. */
  readonly seccomp: Uint8Array | undefined
  /** For `network: 'isolated'`. */
  readonly networkHelpers: () => Promise<NetworkHelpers>
  /** Directory for Node's compile cache. */
  readonly compileCache: string | undefined
  /** One that was started already; the executor disposes it. */
  readonly cloner?: LastingCloner | undefined
}

export class NamespacesExecutor implements Executor {
  readonly name = 'namespaces'
  readonly #options: NamespacesOptions
  readonly #cloner: LastingCloner

  constructor(options: NamespacesOptions) {
    this.#options = options
    this.#cloner = options.cloner ?? new LastingCloner({ compileCache: options.compileCache, pidNamespace: true })
  }

  /** Resolves when the first process can be started without delay; rejects when none can. */
  async ready(): Promise<void> {
    await this.#cloner.ready()
  }

  async run(spec: ProcessSpec, rootfs: string, io: ProcessIO, signal: AbortSignal): Promise<ProcessExit> {
    throwIfAborted(signal)
    const cloner = await this.#cloner.get()
    throwIfAborted(signal)
    const stubs: Stub[] = []
    const isolated = spec.network === 'isolated'
    try {
      return await withGroup(spec, (cgroups) => {
        const init: InitSpec = {
          mode: 'namespaces',
          process: spec,
          rootfs,
          cgroups,
          ownMounts: false,
          singleId: this.#options.singleId,
          seccomp: filterFor(spec, this.#options.seccomp),
          terminal: io.terminal !== undefined,
          waitForGo: isolated,
        }
        return runClone(
          cloner,
          {
            spec: init,
            flags: STAGED_FLAGS | (spec.network === 'host' ? 0 : CLONE.NEWNET),
            staged: suitsStage(init),
            io,
            signal,
            attach: isolated ? async (pid) => attachNetwork(pid, await this.#options.networkHelpers()) : undefined,
          },
          (stub) => stubs.push(stub),
        )
      })
    } finally {
      removeStubs(rootfs, stubs)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cloner[Symbol.asyncDispose]()
  }
}

/** The filter of the machine, or where capabilities are chosen one that lets them be used. */
function filterFor({ capabilities }: ProcessSpec, usual: Uint8Array | undefined): Uint8Array | undefined {
  return usual && capabilities ? compileProfile(process.arch, capabilities) : usual
}
