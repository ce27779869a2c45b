/** What a call needs to work on root filesystems: the worker, and the layers it works on. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { LayerSource } from '../graph/layer.ts'
import type { FoundImage } from '../image/resolve.ts'
import type { BuildOptions } from '../options.ts'
import { committedBefore } from '../snapshot/kinds.ts'
import { LayerService } from '../steps/layers.ts'
import { type SharedResults, StepCache } from '../steps/step-cache.ts'
import { LazyWorker } from '../steps/worker-client.ts'
import type { Session } from './session.ts'

export interface OpenedLayers {
  readonly cache: StepCache
  readonly layers: LayerService
}

type WorkerChoice = Pick<BuildOptions, 'isolation' | 'ociRuntime'>

/**
 * The session's worker, which ends with it.
 *
 * @param willRun whether processes will have to be run, unless they were run before
 */
export function openWorker(
  session: Session,
  { isolation = 'auto', ociRuntime }: WorkerChoice,
  willRun: boolean,
): LazyWorker {
  const onCopies = (why: string): void =>
    session.warn({
      rule: '',
      message: `root filesystems are copied from layer to layer, which takes time and space: ${why}`,
    })
  const worker = session.use(
    new LazyWorker({
      root: session.store.root,
      isolation,
      ociRuntime,
      willRun,
      keep: (snapshots) => session.store.keep({ snapshots }),
      onCopies,
      onSkipped: (problem) => session.warn({ rule: '', message: `the store holds what cannot be removed: ${problem}` }),
    }),
  )
  // Without snapshots there is no RUN to be had from the cache: the worker starts while the rest is being read.
  if (willRun && !existsSync(join(session.store.root, 'snapshots'))) void worker.start()
  return worker
}

/** Where the layers of an image are. */
export function imageSource({ ref, repository, source }: FoundImage): LayerSource {
  const openBlob: LayerSource['openBlob'] = (descriptor, options) => source.openBlob(descriptor, options)
  return { kind: 'image', name: ref.replace(/@.*/, ''), repository, openBlob }
}

/**
 * Opens what the store has of layers, and what is made of them.
 *
 * @param trust how to find out whether a layer of an earlier build is there: by what is written of it, which costs
 *   next to nothing, or by asking the worker, which alone knows what it can use
 */
export function openLayers(
  session: Session,
  worker: LazyWorker,
  trust: 'records' | 'worker' = 'records',
  shared?: SharedResults,
): OpenedLayers {
  const { store, signal } = session
  const isCommitted = committedBefore(join(store.root, 'snapshots'))
  const cache = new StepCache(
    store.records,
    store.blobs,
    async (id) => {
      if (trust === 'worker') return (await worker.call('snapshot.has', { ids: [id] }, { signal }))[0]!
      await store.keep({ snapshots: [id] })
      return isCommitted(id)
    },
    verification(async () => {
      // Who has not started has not used anything either.
      if (worker.started) await worker.call('snapshot.verify', {}, { signal })
    }),
    shared,
  )
  const layers = new LayerService({
    store,
    cache,
    worker,
    task: (title, work) => session.task(title, work),
    onIncomplete: (source, { files, example }) => {
      const some = files === 1 ? 'a file' : `${files} files`
      const name = source?.name ?? 'an image'
      const message = `RUN and COPY do not see ${some} of ${name} as in the image, where they stay as they are (${example})`
      session.warn({ rule: '', message })
    },
    signal,
  })
  return { cache, layers }
}

/** Makes the executor ready; says if it isolates less than usual. */
export async function prepareRun(worker: LazyWorker, session: Session): Promise<void> {
  // That it fails is met again by the first RUN.
  const prepared = await worker.call('run.prepare', {}, { signal: session.signal }).catch(() => undefined)
  const announcement = prepared?.announcement
  if (announcement !== undefined) session.warn({ rule: '', message: announcement })
}

/** How many times longer than a verification nothing is verified after it. */
const PAUSE = 4

/**
 * Verifies for many at once: each waits for a verification that begins after it asked, and steps that follow each other
 * quickly share one.
 */
function verification(verify: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined
  let next: Promise<void> | undefined
  let pause = 0
  async function run(): Promise<void> {
    await delay(pause)
    next = undefined
    const began = performance.now()
    await verify()
    pause = (performance.now() - began) * PAUSE
  }
  return () => {
    next ??= (running ?? Promise.resolve()).then(run, run)
    running = next
    return next
  }
}
