/**
 * The executor for machines without namespaces, such as an ordinary container: another root, fewer capabilities, and
 * files where mounts would be. Not isolated: processes, network, /sys; what is mounted writable is copied in and back.
 */
import { throwIfAborted } from '../../errors.ts'
import { LastingCloner } from '../cloner/lasting-cloner.ts'
import { runClone } from '../cloner/run.ts'
import { sandboxErrors } from '../errors.ts'
import type { Executor, ProcessExit, ProcessIO, ProcessSpec } from '../executor.ts'
import { withGroup } from '../limits/with-group.ts'
import { allMounts } from '../mounts/order.ts'
import { defaultCapabilities } from '../native/capabilities.ts'
import { Substitutes } from './substitutes.ts'

export interface ChrootOptions {
  readonly singleId: boolean
  readonly seccomp: Uint8Array | undefined
  /** Directory for Node's compile cache. */
  readonly compileCache: string | undefined
}

export class ChrootExecutor implements Executor {
  readonly name = 'chroot'
  readonly #options: ChrootOptions
  readonly #cloner: LastingCloner

  constructor(options: ChrootOptions) {
    this.#options = options
    this.#cloner = new LastingCloner({ compileCache: options.compileCache, pidNamespace: false })
  }

  /** Resolves when the first process can be started without delay; rejects when none can. */
  async ready(): Promise<void> {
    await this.#cloner.ready()
  }

  async run(spec: ProcessSpec, rootfs: string, io: ProcessIO, signal: AbortSignal): Promise<ProcessExit> {
    throwIfAborted(signal)
    if (spec.network !== 'host')
      throw sandboxErrors.isolationUnavailable([
        `network ${spec.network} needs namespaces, which this machine does not allow`,
      ])
    if (spec.readonlyRoot)
      throw sandboxErrors.isolationUnavailable(['a read-only root filesystem needs mounts, which chroot has none of'])
    const added = spec.capabilities?.find((name) => !defaultCapabilities.includes(name))
    if (added !== undefined)
      throw sandboxErrors.isolationUnavailable([
        `the capability ${added} would be one over this machine without namespaces`,
      ])
    const cloner = await this.#cloner.get()
    throwIfAborted(signal)
    await using substitutes = await Substitutes.open(rootfs)
    try {
      await substitutes.standard()
      for (const mount of allMounts(spec)) await substitutes.put(mount)
    } catch (error) {
      throw sandboxErrors.setupFailed([error instanceof Error ? error.message : String(error)], { cause: error })
    }
    const { singleId, seccomp } = this.#options
    return await withGroup(spec, (cgroups) =>
      runClone(
        cloner,
        {
          spec: {
            mode: 'chroot',
            process: spec,
            rootfs,
            cgroups,
            singleId,
            seccomp,
            terminal: io.terminal !== undefined,
            waitForGo: false,
          },
          flags: 0,
          staged: false,
          io,
          signal,
        },
        () => {},
      ),
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cloner[Symbol.asyncDispose]()
  }
}
