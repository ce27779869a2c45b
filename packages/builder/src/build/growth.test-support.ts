/** For tests: what the main process does for a build, with a worker that does nothing. */
import { mkdtempSync, readdirSync, rmdirSync, rmSync, unlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openLocalContext } from '../context/local.ts'
import { assembleImage } from '../image/assemble.ts'
import type { ImagePlan } from '../plan/plan.ts'
import type { ProgressEvent } from '../progress.ts'
import { type Handlers, Solver } from '../solve/solve.ts'
import { contextHandler } from '../steps/context-step.ts'
import { fileHandler } from '../steps/file-step.ts'
import { imageHandler } from '../steps/image.ts'
import { LayerService } from '../steps/layers.ts'
import { runHandler } from '../steps/run-step.ts'
import { StepCache } from '../steps/step-cache.ts'
import type { WorkerClient, WorkerOperations } from '../steps/worker-api.ts'

/** A directory of few files, deleted with few calls. */
function emptied(path: string): void {
  for (const name of readdirSync(path)) unlinkSync(join(path, name))
  rmdirSync(path)
}

const digest = `sha256:${'1'.repeat(64)}` as const

/** A store in memory, a context with a file `a`, and a worker whose work costs nothing. */
export class IdleBuilds {
  readonly directory = mkdtempSync(join(tmpdir(), 'growth-'))
  readonly #records = new Map<string, string>()
  readonly #snapshots = new Set<string>()
  #nonces = 0

  constructor() {
    writeFileSync(join(this.directory, 'a'), 'a')
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true })
  }

  readonly #worker: WorkerClient = {
    call: async (operation, params) => this.#answer(operation, params as never) as never,
  }

  #answer(operation: string, params: never): unknown {
    if (operation === 'snapshot.has')
      return (params as WorkerOperations['snapshot.has']['params']).ids.map((id) => this.#snapshots.has(id))
    if (operation === 'files.fingerprint') return 'content'
    if (operation === 'layer.pack')
      return {
        mediaType: 'application/vnd.oci.image.layer.v1.tar',
        diffID: digest,
        digest,
        size: 1,
        content: Buffer.alloc(1),
      }
    const { id } = params as { id: string }
    this.#snapshots.add(id)
    return operation === 'run' ? { status: 'succeeded' } : undefined
  }

  #temporary() {
    const path = mkdtempSync(join(this.directory, 't-'))
    return { path, [Symbol.asyncDispose]: async () => emptied(path) }
  }

  /** Solves a plan and assembles its image. Returns what progress was told. */
  async build(plan: ImagePlan): Promise<ProgressEvent[]> {
    const blobs = {
      temporary: async () => this.#temporary(),
      temporaryFile: () => this.#temporary(),
      put: async () => {},
      size: async () => 1,
    }
    const records = {
      get: async (kind: string, key: string) => JSON.parse(this.#records.get(`${kind} ${key}`) ?? 'null') ?? undefined,
      put: async (kind: string, key: string, value: unknown) =>
        void this.#records.set(`${kind} ${key}`, JSON.stringify(value)),
    }
    const cache = new StepCache(
      records as never,
      blobs as never,
      async (id) => this.#snapshots.has(id),
      async () => {},
    )
    const signal = new AbortController().signal
    const common = {
      store: { blobs } as never,
      cache,
      worker: this.#worker,
      signal,
      now: () => 5,
      nonce: () => String(++this.#nonces),
    }
    const task = async () => {
      throw new Error('nothing is to be fetched')
    }
    const layers = new LayerService({ ...common, onIncomplete: () => {}, task } as never)
    const seen = new Map<string, string>()
    const statCache = {
      get: (key: string) => seen.get(key),
      set: (key: string, value: string) => void seen.set(key, value),
    }
    const tree = openLocalContext(this.directory)
    const handlers = {
      image: imageHandler(() => undefined as never),
      context: contextHandler(async () => tree),
      file: fileHandler({
        ...common,
        layers,
        trees: undefined as never,
        needsFiles: () => true,
        isBelow: () => true,
        statCache,
        lacking: undefined,
      }),
      run: runHandler({ ...common, layers, isolatedNetwork: false, dns: [], resources: {}, retries: 0 } as never),
    }
    const events: ProgressEvent[] = []
    let id = 0
    const solver = new Solver({
      ...common,
      handlers: handlers as unknown as Handlers,
      emit: (event) => {
        // As renderers and their like do.
        if (event.type === 'started') void [event.vertex.digest, event.vertex.inputs]
        events.push(event)
      },
      onResult: (_step, result) => void layers.blob(result.stack).catch(() => undefined),
      concurrency: 8,
      nextId: () => String(++id),
    })
    const [rootfs] = await solver.solve([plan.rootfs])
    const { stack } = rootfs!
    const blobsOf = await Promise.all(stack.parts().map((part) => layers.blob(part)))
    const times = { layers: stack.layers().map((layer) => layer.created), build: 1, output: 1, now: 1 }
    const { platform, image } = plan
    await assembleImage(
      {
        platform,
        image,
        layers: blobsOf,
        times,
        descriptions: [],
        annotations: {},
        extra: {},
        descriptorAnnotations: {},
        format: 'oci',
      },
      blobs as never,
    )
    return events
  }
}
