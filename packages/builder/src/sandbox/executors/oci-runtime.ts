/** Finds an OCI runtime that really works here: being on the PATH says little about control groups and namespaces. */

/** Finds an OCI runtime that really works here: being on the PATH says little about control groups and namespaces. */
import fs, { constants } from 'node:fs'
import { access, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { makeDirectorySync } from '../../util/make-directory.ts'
import type { ProcessSpec, SandboxMount } from '../executor.ts'
import { OciExecutor, type OciExecutorOptions } from './oci.ts'

/** Looked for in this order. */
export const runtimeNames = ['runc', 'crun', 'youki'] as const

/** The program `name` means: a path, or the first of that name on the search path; undefined when there is none. */
export async function findRuntime(name: string, searchPath: string | undefined): Promise<string | undefined> {
  const candidates = name.includes('/') ? [name] : (searchPath ?? '').split(':').map((dir) => `${dir || '.'}/${name}`)
  for (const candidate of candidates) {
    if (
      await access(candidate, constants.X_OK).then(
        () => true,
        () => false,
      )
    )
      return candidate
  }
  return undefined
}

/** The machine's own directories that a shell needs, shown read-only to a first process. */
const SHOWN = ['/bin', '/lib', '/lib64', '/usr', '/nix/store', '/gnu/store']
const PROBE_MS = 20_000

/** Runs a shell from the machine's own files in an empty root filesystem. Rejects with the reason when that fails. */
export async function probeRuntime(options: OciExecutorOptions): Promise<OciExecutor> {
  const executor = new OciExecutor(options)
  makeDirectorySync(options.root, 0o700)
  const rootfs = await mkdtemp(join(options.root, 'oci-probe-'))
  try {
    const mounts = SHOWN.filter((path) => fs.existsSync(path)).map(
      (path): SandboxMount => ({ type: 'bind', source: fs.realpathSync(path), target: path, readonly: true }),
    )
    const spec: ProcessSpec = {
      args: ['/bin/sh', '-c', 'exit 0'],
      env: ['PATH=/usr/bin:/bin'],
      cwd: '/',
      user: { uid: 0, gid: 0, additionalGids: [0] },
      hostname: 'probe',
      network: 'host',
      hosts: undefined,
      resolvConf: undefined,
      mounts,
      security: 'sandbox',
      ulimits: [],
      resources: {},
    }
    let errors = ''
    const onOutput = (_: string, chunk: Buffer): void => {
      errors = (errors + chunk.toString()).slice(-1000)
    }
    const { exitCode } = await executor.run(spec, rootfs, { onOutput }, AbortSignal.timeout(PROBE_MS))
    if (exitCode !== 0) throw new Error(errors.trim() || `exit code ${exitCode}`)
    return executor
  } finally {
    await rm(rootfs, { recursive: true, force: true })
  }
}
