/** Everything that solving a build needs, put together: cache, layers, worker, handlers. */
import { randomUUID } from 'node:crypto'
import type { FoundImage } from '../image/resolve.ts'
import type { ImagePlan } from '../plan/plan.ts'
import { StepCache } from '../solve/cache.ts'
import { Solver } from '../solve/solve.ts'
import { contextHandler } from '../steps/context-step.ts'
import { fileHandler } from '../steps/file-step.ts'
import { gitHandler } from '../steps/git-step.ts'
import { httpHandler } from '../steps/http-step.ts'
import { imageHandler } from '../steps/image.ts'
import { LayerService } from '../steps/layers.ts'
import { runHandler } from '../steps/run-step.ts'
import type { RootfsResult } from '../steps/types.ts'
import { LazyWorker, snapshotExists } from '../steps/worker-client.ts'
import { secretReader } from './secrets.ts'
import type { Session } from './session.ts'
import type { BuildSettings } from './settings.ts'
import { openSsh } from './ssh.ts'

/** A platform's plan with the root filesystem that solving gave. */
export interface SolvedImage {
  readonly plan: ImagePlan
  readonly rootfs: RootfsResult
}

export interface BuildSolver {
  readonly layers: LayerService
  readonly worker: LazyWorker
  readonly images: ReadonlyMap<string, FoundImage>
  readonly counts: Solver['counts']
  solve(plans: readonly ImagePlan[]): Promise<SolvedImage[]>
}

/** Opens the solver of one build; what it starts belongs to the session. */
export async function openSolver(
  session: Session,
  settings: BuildSettings,
  images: ReadonlyMap<string, FoundImage>,
  cpus: number,
): Promise<BuildSolver> {
  const { store, signal } = session
  const { options } = settings
  const worker = session.use(
    new LazyWorker({
      root: store.root,
      isolation: options.isolation ?? 'auto',
      ociRuntime: options.ociRuntime,
      onAnnounce: (message) => session.warn({ rule: '', message }),
    }),
  )
  const cache = new StepCache(store.records, store.blobs, (id) => snapshotExists(store.root, id))
  const layers = new LayerService({
    store,
    cache,
    worker,
    sources: new Map([...images].map(([ref, image]) => [ref, image.source])),
    signal,
  })
  const statCache = await session.contexts.statCache()
  const now = Date.now
  const solver = new Solver({
    cache,
    emit: (event) => session.emit(event),
    signal,
    concurrency: Math.max(2, cpus),
    now,
    nextId: () => session.nextId(),
    handlers: {
      image: imageHandler,
      context: contextHandler((name) => session.contexts.open(name)),
      http: httpHandler({ store }),
      git: gitHandler({
        directory: async () => session.use(await store.blobs.temporary('git')).path,
        env: settings.env,
      }),
      file: fileHandler({ store, cache, layers, worker, statCache, now }),
      run: runHandler({
        layers,
        worker,
        secret: secretReader(options.secrets ?? [], settings.env),
        ssh: openSsh(options.ssh ?? [], settings.env),
        now,
        nonce: randomUUID,
        dns: options.dns ?? [],
        isolatedNetwork: options.network === 'isolated',
        resources: options.resources ?? {},
        cgroupParent: options.cgroupParent,
        timeout: options.runTimeout,
        retries: options.runRetries ?? 0,
      }),
    },
  })
  return {
    layers,
    worker,
    images,
    counts: solver.counts,
    async solve(plans) {
      const results = await solver.solve(plans.map((p) => p.rootfs))
      await statCache.save()
      return plans.map((plan, i) => ({ plan, rootfs: results[i]! }))
    },
  }
}
