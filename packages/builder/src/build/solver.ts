/** Everything that solving a build needs, put together: cache, layers, worker, handlers. */
import { randomUUID } from 'node:crypto'
import { availableParallelism } from 'node:os'
import type { SharedCaches } from '../cache/import.ts'
import { BuildError } from '../errors.ts'
import { inputsOf, type RootfsStep, type Step } from '../graph/step.ts'
import type { FoundImage } from '../image/resolve.ts'
import type { ParsedDockerfile } from '../instructions/nodes.ts'
import type { ImagePlan } from '../plan/plan.ts'
import { hasOneId } from '../sandbox/worker/id-map.ts'
import { Solver } from '../solve/solve.ts'
import { contextHandler } from '../steps/context-step.ts'
import { fileHandler } from '../steps/file-step.ts'
import { gitHandler } from '../steps/git-step.ts'
import { httpHandler } from '../steps/http-step.ts'
import { imageHandler } from '../steps/image.ts'
import { LayerTrees } from '../steps/layer-trees.ts'
import type { LayerService } from '../steps/layers.ts'
import { runHandler } from '../steps/run-step.ts'
import type { RootfsResult } from '../steps/types.ts'
import type { LazyWorker } from '../steps/worker-client.ts'
import { missingCapabilities } from '../util/rights.ts'
import type { BuildCacheMounts } from './cache-mounts.ts'
import type { Explainer } from './explain.ts'
import { failureHandler } from './failure.ts'
import { imageSource, openLayers, prepareRun } from './layers.ts'
import { secretReader } from './secrets.ts'
import type { Session } from './session.ts'
import type { BuildSettings } from './settings.ts'
import { openSsh } from './ssh.ts'

/** A platform's plan with the root filesystem that solving gave. */
export interface Solved {
  readonly plan: ImagePlan
  readonly rootfs: RootfsResult
}

export interface SolvedImage extends Solved {
  /** The same without SOURCE_DATE_EPOCH, where an output asks for that. */
  readonly undated: Solved | undefined
}

export interface BuildSolver {
  readonly layers: LayerService
  readonly worker: LazyWorker
  readonly images: ReadonlyMap<string, FoundImage>
  readonly counts: Solver['counts']
  readonly caches: SharedCaches | undefined
  readonly mounts: BuildCacheMounts
  solve(): Promise<SolvedImage[]>
  /** What solving gave. */
  rootfses: Solver['rootfses']
  /** Fingerprints that the steps' keys are made of. */
  readonly fingerprints: ReadonlyMap<string, string>
}

/** What a build has found out before it does anything. */
export interface Planned {
  readonly parsed: ParsedDockerfile
  readonly plans: readonly ImagePlan[]
  readonly undated: readonly ImagePlan[]
  readonly images: ReadonlyMap<string, FoundImage>
}

/**
 * Opens the solver of one build; what it starts belongs to the session.
 *
 * @param trust see {@link openLayers}
 */
export async function openSolver(
  { parsed, plans, undated, images }: Planned,
  worker: LazyWorker,
  session: Session,
  settings: BuildSettings,
  trust: 'records' | 'worker',
  explainer: Explainer,
  { caches, mounts }: Pick<BuildSolver, 'caches' | 'mounts'>,
): Promise<BuildSolver> {
  const { store, signal } = session
  const { options } = settings
  const { cache, layers } = openLayers(session, worker, trust, caches)
  const all = [...plans, ...undated]
  // While images are fetched and files copied.
  const prepare = once(() => {
    if (hasRun(all)) void prepareRun(worker, session)
  })
  if (worker.started) prepare()
  const statCache = await session.contexts.statCache()
  const lacking = await lackingRights()
  const now = Date.now
  const exported = new Set(all.flatMap((plan) => ancestors(plan.rootfs)))
  const onDisk = wantedOnDisk(all, settings)
  const below = new Set(stepsBehind(tops(all)).flatMap((step) => (step.kind === 'file' ? inputsOf(step) : [])))
  const solver = new Solver({
    cache,
    locks: store.locks,
    observer: explainer.observe(),
    onWork: prepare,
    // Packing overlaps with the steps that follow, which the worker gets first. Errors are met again when the image is
    // assembled.
    onResult: (step, { stack }) => {
      if (exported.has(step)) setImmediate(() => layers.blob(stack).catch(() => undefined))
    },
    isNeeded: (step) => exported.has(step),
    emit: (event) => session.emit(event),
    signal,
    concurrency: Math.max(8, 2 * availableParallelism()),
    now,
    nextId: () => session.nextId(),
    handlers: {
      image: imageHandler((ref) => imageSource(images.get(ref)!)),
      context: contextHandler((name) => session.contexts.open(name)),
      http: httpHandler({ store, client: session.client }),
      git: gitHandler({
        directory: async () => session.use(await store.blobs.temporary('git')).path,
        env: settings.env,
        access: session.git,
      }),
      file: fileHandler({
        ...{ store, cache, layers, worker, statCache, lacking, now, nonce: randomUUID },
        trees: new LayerTrees(store, layers, signal),
        needsFiles: (step) => onDisk.has(step),
        isBelow: (step) => below.has(step),
        onFingerprint: explainer.onFingerprint,
      }),
      run: runHandler({
        layers,
        worker,
        secret: secretReader(options.secrets ?? [], settings.env),
        ssh: openSsh(options.ssh ?? [], settings.env, store),
        now,
        nonce: randomUUID,
        dns: options.dns ?? [],
        isolatedNetwork: options.network === 'isolated',
        resources: options.resources ?? {},
        cgroupParent: options.cgroupParent,
        timeout: options.runTimeout,
        retries: options.runRetries ?? 0,
        lacking,
        allowSecretsInLayers: options.allowSecretsInLayers === true,
        failures: failureHandler({ parsed, settings, session, worker }),
        beforeCache: (mount, signal) => mounts.before(mount, signal),
      }),
    },
  })
  return {
    layers,
    worker,
    images,
    counts: solver.counts,
    caches,
    mounts,
    rootfses: () => solver.rootfses(),
    fingerprints: cache.fingerprints,
    async solve() {
      const results = await solver.solve(all.map((p) => p.rootfs)).catch(async (error: unknown) => {
        throw hasRun(all) ? await whyNothingRuns(error, worker, signal) : error
      })
      await statCache.save()
      const solved = all.map((plan, i) => ({ plan, rootfs: results[i]! }))
      return solved.slice(0, plans.length).map((own, i) => ({ ...own, undated: solved[plans.length + i] }))
    },
  }
}

/**
 * Where nothing can be run, files for what would run can often not be made either, as by a user who may not change their
 * owner. Then why nothing can be run is the error that helps.
 */
async function whyNothingRuns(error: unknown, worker: LazyWorker, signal: AbortSignal): Promise<unknown> {
  if (!(error instanceof BuildError) || error.code !== 'WORKER_OPERATION_FAILED') return error
  const { at, step } = error
  return await worker.call('run.prepare', {}, { signal }).then(
    () => error,
    (why: unknown) => (why instanceof BuildError ? why.with({ at, step, cause: error }) : error),
  )
}

/** An ordinary user's worker has all rights over the ids that it has. */
async function lackingRights(): Promise<string | undefined> {
  if (process.getuid?.() === 0) return missingCapabilities() || undefined
  return (await hasOneId()) ? 'ids' : undefined
}

/** A step and all that its root filesystem is built on: the steps whose layers are in the image. */
function ancestors(top: RootfsStep | undefined): Step[] {
  const steps: Step[] = []
  for (let step = top; step !== undefined; step = step.kind === 'image' ? undefined : step.parent) steps.push(step)
  return steps
}

function hasRun(plans: readonly ImagePlan[]): boolean {
  return stepsBehind(tops(plans)).some((step) => step.kind === 'run')
}

function tops(plans: readonly ImagePlan[]): RootfsStep[] {
  return plans.flatMap((plan) => plan.rootfs ?? [])
}

/** What is seen by a RUN, or handed out as files. */
function wantedOnDisk(plans: readonly ImagePlan[], { outputs }: BuildSettings): ReadonlySet<Step> {
  const runs = stepsBehind(tops(plans)).filter((step) => step.kind === 'run')
  const asFiles = outputs.some(({ type }) => type === 'local' || type === 'tar')
  return new Set(stepsBehind(asFiles ? [...runs, ...tops(plans)] : runs))
}

/** Steps and all that they need. */
export function stepsBehind(steps: readonly Step[]): Step[] {
  const seen = new Set<Step>(steps)
  for (const step of seen) for (const input of inputsOf(step)) seen.add(input)
  return [...seen]
}

function once(work: () => void): () => void {
  let done = false
  return () => {
    if (!done) work()
    done = true
  }
}
