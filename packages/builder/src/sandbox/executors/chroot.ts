/**
 * The executor for machines without namespaces, such as an ordinary container: another root, fewer capabilities, and
 * files where mounts would be; what is mounted writable is copied in, and what was changed in it back. Where it is asked
 * for on a machine that allows mounts, it has these. Not isolated: processes, network, /sys.
 */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { throwIfAborted } from '../../errors.ts'
import { Substitutes } from '../chroot/substitutes.ts'
import { killInside } from '../chroot/survivors.ts'
import { LastingCloner } from '../cloner/lasting-cloner.ts'
import { runClone } from '../cloner/run.ts'
import { sandboxErrors } from '../errors.ts'
import type { Executor, ProcessExit, ProcessIO, ProcessSpec } from '../executor.ts'
import type { InitSpec } from '../init-protocol.ts'
import { withGroup } from '../limits/with-group.ts'
import { allMounts } from '../mounts/order.ts'
import { removeStubs, type Stub } from '../mounts/stubs.ts'
import { defaultCapabilities } from '../native/capabilities.ts'
import { CLONE } from '../native/process.ts'

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
  readonly #ownMounts: Promise<boolean>

  constructor(options: ChrootOptions) {
    this.#options = options
    this.#cloner = new LastingCloner({ compileCache: options.compileCache, pidNamespace: false })
    this.#ownMounts = canMountAlone()
  }

  /** Without mounts, one that is handed a directory of another's could leave its own root by it. */
  get exclusive(): Promise<boolean> {
    return this.#ownMounts.then((ownMounts) => !ownMounts)
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
    const ownMounts = await this.#ownMounts
    if (spec.readonlyRoot && !ownMounts)
      throw sandboxErrors.isolationUnavailable([
        'a read-only root filesystem needs mounts, which this machine does not allow',
      ])
    const added = spec.capabilities?.find((name) => !defaultCapabilities.includes(name))
    if (added !== undefined)
      throw sandboxErrors.isolationUnavailable([
        `the capability ${added} would be one over this machine without namespaces`,
      ])
    const cloner = await this.#cloner.get()
    throwIfAborted(signal)
    const stubs: Stub[] = []
    await using resources = new AsyncDisposableStack()
    resources.defer(async () => removeStubs(rootfs, stubs))
    if (!ownMounts) resources.use(await putAll(spec, rootfs))
    const { singleId, seccomp } = this.#options
    return await withGroup(spec, (cgroups) => {
      const init: InitSpec = {
        mode: 'chroot',
        process: spec,
        rootfs,
        cgroups,
        ownMounts,
        singleId,
        seccomp,
        terminal: io.terminal !== undefined,
        waitForGo: false,
      }
      // It may have killed its supervisor, which does this otherwise.
      const onEnded = () => killInside(rootfs)
      const request = { spec: init, flags: ownMounts ? CLONE.NEWNS : 0, staged: false, io, signal, onEnded }
      return runClone(cloner, request, (stub) => stubs.push(stub))
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cloner[Symbol.asyncDispose]()
  }
}

/** Whether a process gets a mount namespace here and may mount in it. */
async function canMountAlone(): Promise<boolean> {
  try {
    await promisify(execFile)('unshare', ['-m', 'mount', '-t', 'tmpfs', 'tmpfs', '/proc'])
    return true
  } catch {
    return false
  }
}

/** Puts substitutes for all mounts; disposing takes them away. */
async function putAll(spec: ProcessSpec, rootfs: string): Promise<AsyncDisposable> {
  const substitutes = await Substitutes.open(rootfs)
  try {
    await substitutes.standard()
    for (const mount of allMounts(spec)) await substitutes.put(mount)
    return substitutes
  } catch (error) {
    await substitutes[Symbol.asyncDispose]()
    throw sandboxErrors.setupFailed([error instanceof Error ? error.message : String(error)], { cause: error })
  }
}
