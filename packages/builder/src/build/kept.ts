/**
 * Root filesystems that failed RUNs left, kept under names: as records of the store, which hold the snapshots that they
 * need until `prune` deletes them.
 */
import { randomBytes } from 'node:crypto'
import { schema } from '@tsbuild/registry-client'
import { defineError } from '../errors.ts'
import type { SnapshotId } from '../snapshot/snapshotter.ts'
import type { FailedRun } from '../steps/run-step.ts'
import type { RunMountSpec, RunParams } from '../steps/worker-api.ts'
import { snapshotsOf } from '../steps/worker-claims.ts'
import type { Records } from '../store/records.ts'

export const keptErrors = {
  keptUnknown: defineError({
    code: 'KEPT_UNKNOWN',
    doc: 'No root filesystem of a failed RUN is kept under this name, or several names begin so.',
    message: (name: string, has: readonly string[]) =>
      `no root filesystem is kept as ${JSON.stringify(name)}${has.length > 0 ? `; there are ${has.join(', ')}` : ''}`,
    hint: 'build with --on-error keep to keep what a failed RUN leaves',
  }),
}

const KIND = 'kept'

/** What is remembered of a failed RUN. Secrets, agents and proxies are not. */
export interface KeptRun {
  readonly name: string
  /** The step, as progress shows it. */
  readonly step: string
  /** What went wrong. */
  readonly message: string
  /** Milliseconds since the epoch. */
  readonly failed: number
  /** To run something there as the step ran: on top of what it left. */
  readonly params: RunParams
}

/** Keeps what a RUN left. Returns its new name. */
export async function keepRun(records: Records, { step, params, kept, error }: FailedRun): Promise<string> {
  const name = `failed-${randomBytes(4).toString('hex')}`
  const mounts = params.mounts.filter(isPlain)
  const run: KeptRun = {
    name,
    step: step.name,
    message: error.message,
    failed: Date.now(),
    params: { ...afterwards(params, kept), env: step.env, mounts, scanFor: [] },
  }
  await records.put(KIND, name, run, { snapshots: snapshotsOf('run', run.params) })
  return name
}

/** The same process setting on top of what the failed one left; nothing of it is kept, nothing ends it. */
export function afterwards(params: RunParams, kept: SnapshotId): RunParams {
  return { ...params, stack: [...params.stack, kept], id: undefined, keep: undefined, timeout: undefined }
}

/** What a run is looked up and started again with; the rest the worker checks or gives as it is. */
type Checked = Omit<KeptRun, 'params'> & {
  readonly params: Pick<RunParams, 'stack' | 'args' | 'env' | 'cwd' | 'user'> & {
    readonly mounts: readonly { readonly type: string; readonly target: string }[]
  }
}

const keptSchema = schema.object<Checked>({
  name: schema.text,
  step: schema.text,
  message: schema.text,
  failed: schema.integer,
  params: schema.object<Checked['params']>({
    stack: schema.list(schema.text, 'texts'),
    args: schema.list(schema.text, 'texts'),
    env: schema.list(schema.text, 'texts'),
    cwd: schema.text,
    user: schema.text,
    mounts: schema.list(schema.object({ type: schema.text, target: schema.text }), 'mounts'),
  }),
})

/** undefined for what is none, as another version may have written it: nothing is lost that a build would not make again. */
function readKept(value: unknown): KeptRun | undefined {
  try {
    return keptSchema(value, '') as KeptRun
  } catch (error) {
    if (error instanceof schema.SchemaProblem) return undefined
    throw error
  }
}

/** Every one that is kept, the latest first. */
export async function listKeptRuns(records: Records): Promise<KeptRun[]> {
  const names = await Array.fromAsync(records.list(KIND), ({ key }) => key)
  const runs = await Promise.all(names.map((name) => records.get(KIND, name)))
  return runs
    .map(readKept)
    .filter((run) => run !== undefined)
    .sort((a, b) => b.failed - a.failed)
}

/** The one of this name, or the only one whose name begins so. @throws BuildError KEPT_UNKNOWN */
export async function findKeptRun(records: Records, text: string): Promise<KeptRun> {
  const runs = await listKeptRuns(records)
  const [found, another] = runs.filter(({ name }) => name === text || name.startsWith(text))
  if (found === undefined || another !== undefined || text === '')
    throw keptErrors.keptUnknown([text, runs.map(({ name }) => name)])
  return found
}

function isPlain(mount: RunMountSpec): mount is RunMountSpec & { type: 'bind' | 'cache' | 'tmpfs' } {
  return mount.type === 'bind' || mount.type === 'cache' || mount.type === 'tmpfs'
}
