/** The executor over an OCI runtime: runc, crun or youki, each process a container of its own. */
import { execFile, spawn } from 'node:child_process'
import fs from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { cancelled, throwIfAborted } from '../../errors.ts'
import { makeDirectorySync } from '../../util/make-directory.ts'
import { sandboxErrors } from '../errors.ts'
import type { Executor, ProcessExit, ProcessIO, ProcessSpec } from '../executor.ts'
import { checkUlimits } from '../limits/rlimit.ts'
import {
  groupName,
  hierarchyMounts,
  missingParents,
  removeGroup,
  removeGroupSoon,
  sweepGroups,
} from '../limits/sweep.ts'
import { removeStubs, type Stub } from '../mounts/stubs.ts'
import { ociConfig } from '../oci/config.ts'
import { protectDevices } from '../oci/devices.ts'
import { explainFailure } from '../oci/failure.ts'
import { prepareMounts } from '../oci/mounts.ts'
import { openStdio } from '../stdio.ts'

export interface OciExecutorOptions {
  /** The runtime's program. */
  readonly runtime: string
  /** State directory. */
  readonly root: string
  readonly singleId: boolean
  readonly userNamespace: boolean
  readonly seccomp: boolean
  /** What this process has. */
  readonly capabilities: bigint
}

/**
 * Wrapped around the runtime: when the worker dies, so does unshare, so does the runtime, which is the first process of a
 * pid namespace, and with it goes the container.
 */
const TIE = ['setpriv', '--pdeathsig', 'KILL', 'unshare', '-m', '-p', '-f', '--kill-child', '--mount-proc']

export class OciExecutor implements Executor {
  readonly name = 'oci'
  readonly #options: OciExecutorOptions

  constructor(options: OciExecutorOptions) {
    this.#options = options
    if (options.userNamespace) protectDevices()
  }

  /** The runtime's program. */
  get runtime(): string {
    return this.#options.runtime
  }

  async run(spec: ProcessSpec, rootfs: string, io: ProcessIO, signal: AbortSignal): Promise<ProcessExit> {
    if (spec.init) throw sandboxErrors.isolationUnavailable(['an init process needs --isolation namespaces'])
    throwIfAborted(signal)
    checkUlimits(spec.ulimits)
    if (this.#options.userNamespace && spec.cgroupParent !== undefined)
      throw sandboxErrors.limitUnavailable([`make groups below --cgroup-parent ${spec.cgroupParent}`])
    const state = join(this.#options.root, 'oci-runtime')
    makeDirectorySync(state, 0o700)
    const bundle = await mkdtemp(join(state, 'bundle-'))
    const id = groupName()
    const stubs: Stub[] = []
    try {
      await using mounts = await prepare(() =>
        prepareMounts(spec, rootfs, join(bundle, 'files'), (stub) => stubs.push(stub)),
      )
      const { singleId, userNamespace, seccomp, capabilities } = this.#options
      const cgroupsPath = userNamespace ? undefined : `${spec.cgroupParent ?? ''}/${id}`
      const config = ociConfig(spec, {
        rootfs: mounts.rootfs,
        singleId,
        userNamespace,
        seccomp,
        capabilities,
        terminal: io.terminal !== undefined,
        mounts: mounts.mounts,
        cgroupsPath,
      })
      await writeFile(join(bundle, 'config.json'), JSON.stringify(config))
      return await this.#runBundle(spec, rootfs, { bundle, state, id }, io, signal)
    } finally {
      removeStubs(rootfs, stubs)
      await rm(bundle, { recursive: true, force: true })
    }
  }

  async #runBundle(
    spec: ProcessSpec,
    rootfs: string,
    { bundle, state, id }: { bundle: string; state: string; id: string },
    io: ProcessIO,
    signal: AbortSignal,
  ): Promise<ProcessExit> {
    const hierarchies = hierarchyMounts()
    const made = missingParents(hierarchies, spec.cgroupParent ?? '')
    const log = join(bundle, 'log.json')
    const runtime = [this.#options.runtime, '--root', join(state, 'state'), '--log', log, '--log-format', 'json']
    const stdio = openStdio(io)
    // The runtime passes the size of its controlling terminal on to the one it makes for the container.
    const own = io.terminal === undefined ? [] : ['setsid', '--ctty', '--wait']
    const command = [...own, ...TIE, ...runtime, 'run', '--bundle', bundle, id]
    const child = spawn(command[0]!, command.slice(1), { stdio: [...stdio.given], cwd: bundle })
    for (const fd of new Set(stdio.given)) fs.closeSync(fd)
    const kill = (): void => void child.kill('SIGKILL')
    signal.addEventListener('abort', kill, { once: true })
    const exited = new Promise<number>((resolve, reject) => {
      child.once('error', (error) => reject(sandboxErrors.executorFailed([error.message])))
      child.once('exit', (code) => resolve(code ?? 137))
    })
    try {
      const [exitCode] = await Promise.all([exited, stdio.transfer()])
      throwIfAborted(signal)
      const failure = await lastError(log)
      if (exitCode !== 0 && failure !== undefined) throw explainFailure(spec, rootfs, failure)
      return { exitCode }
    } catch (error) {
      kill()
      if (signal.aborted) throw cancelled([], { cause: signal.reason })
      throw error
    } finally {
      signal.removeEventListener('abort', kill)
      await stdio.close()
      // After a kill the runtime's own records and control groups are left; in order, there is nothing to delete.
      await promisify(execFile)(runtime[0]!, [...runtime.slice(1), 'delete', '--force', id]).catch(() => {})
      for (const mount of hierarchies) {
        const parent = join(mount, spec.cgroupParent ?? '')
        await removeGroupSoon(join(parent, id))
        sweepGroups(parent)
      }
      for (const directory of made.toReversed()) removeGroup(directory)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

async function prepare<T>(make: () => Promise<T>): Promise<T> {
  try {
    return await make()
  } catch (error) {
    throw sandboxErrors.setupFailed([error instanceof Error ? error.message : String(error)], { cause: error })
  }
}

/** What the runtime itself gave up with; undefined when it only passes on the process's exit code. */
async function lastError(log: string): Promise<string | undefined> {
  const text = await readFile(log, 'utf8').catch(() => '')
  let found: string | undefined
  for (const line of text.split('\n')) {
    try {
      const entry = JSON.parse(line) as { level?: string; msg?: string }
      if (entry.level === 'error' || entry.level === 'fatal') found = entry.msg ?? found
    } catch {
      // Not a line of the log.
    }
  }
  return found
}
