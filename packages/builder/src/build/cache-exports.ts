/** Writes what a build knows into shared caches. */
import type { Descriptor, OpenContent } from '@tsbuild/registry-client'
import type { CacheExport, PreparedExport } from '../cache/backend.ts'
import { collectDocument } from '../cache/export.ts'
import { chunkBlobs, type SharedMount } from '../cache/mounts.ts'
import type { BlobCount, ExportedCache } from '../results.ts'
import { hasCode } from '../util/has-code.ts'
import { blobSource } from './blob-source.ts'
import { cacheServices } from './caches.ts'
import type { Session } from './session.ts'
import { type BuildSettings, isInline } from './settings.ts'
import { type SolvedStep, sharedSteps, solvedSteps } from './shared-steps.ts'
import type { BuildSolver, SolvedImage } from './solver.ts'

const NOTHING = { blobs: 0, size: 0 }
const NO_MOUNTS = { ids: [], sent: NOTHING, present: NOTHING }

/** What the outputs of a build come to. */
export interface OutputsUnderWay {
  readonly done: Promise<unknown>
  readonly signal: AbortSignal
}

/** Runs all exports, side by side. Those into the image are the outputs' work. */
export async function exportCaches(
  solved: readonly SolvedImage[],
  solver: BuildSolver,
  session: Session,
  settings: BuildSettings,
  outputs: OutputsUnderWay,
): Promise<ExportedCache[]> {
  if (settings.cacheTo.length === 0) return []
  const steps = await solvedSteps(solver)
  const exports = settings.cacheTo.map(async (cache) => {
    if (isInline(cache))
      return {
        name: cache.name,
        records: steps.length,
        sent: NOTHING,
        present: NOTHING,
        mounts: NO_MOUNTS,
        problem: undefined,
      }
    return await session.task(`exporting cache to ${cache.name}`, async (report) => {
      try {
        const done = await exportCache(cache, steps, { solved, solver, session, settings, outputs, report })
        return { name: cache.name, ...done, problem: undefined }
      } catch (error) {
        if (outputs.signal.aborted || !cache.ignoreError || hasCode(error, 'CACHE_LAYER_LOST')) throw error
        const problem = (error as Error).message
        session.warn({ rule: '', message: problem })
        return { name: cache.name, records: 0, sent: NOTHING, present: NOTHING, mounts: NO_MOUNTS, problem }
      }
    })
  })
  // All have ended before one of them fails the build.
  await Promise.allSettled(exports)
  return await Promise.all(exports)
}

interface ExportServices {
  readonly solved: readonly SolvedImage[]
  readonly solver: BuildSolver
  readonly session: Session
  readonly settings: BuildSettings
  readonly outputs: OutputsUnderWay
  readonly report: (item: string, current: number, total: number) => void
}

async function exportCache(cache: PreparedExport, steps: readonly SolvedStep[], services: ExportServices) {
  const { solved, solver, session, settings, outputs, report } = services
  const { signal } = outputs
  report('preparing build cache for export', 0, 0)
  const shared = sharedSteps(steps, solved, solver, settings, cache)
  const results = await collectDocument(shared, solver.fingerprints, cache.mode)
  const mounts = cache.mounts && (await solver.mounts.pack(cache.mounts, cache.name, signal))
  const document = mounts?.length ? { ...results, mounts } : results
  const source = blobSource(
    session.store,
    solver.layers,
    steps.map(({ layer }) => layer),
  )
  // A layer that cannot be had is made again, whatever the cache makes of the error.
  let lost: unknown
  const sentChunks = new Set<string>()
  const open = (descriptor: Descriptor): OpenContent =>
    async function* (offset) {
      const chunk = solver.mounts.open(descriptor, offset)
      if (chunk !== undefined) {
        sentChunks.add(descriptor.digest)
        yield* chunk
        return
      }
      try {
        yield* source.openBlob(descriptor, { offset, signal, transient: true })
      } catch (error) {
        lost ??= error
        throw error
      }
    }
  const pushed = settings.outputs.flatMap(({ pushesTo }) => pushesTo?.(settings.tags) ?? [])
  // A registry takes from the image what it has got with it.
  if (pushed.some((repository) => isOfRegistry(cache, repository))) await outputs.done
  await using exporter = await cache.open!(cacheServices(session))
  const mountFrom = ({ digest }: Descriptor) => [...(solver.caches?.repositoriesOf(digest) ?? []), ...pushed]
  try {
    const saved = await exporter.save(document, open, { signal, mountFrom, onProgress: report })
    return { ...saved, ...apart(saved, mounts ?? [], sentChunks) }
  } catch (error) {
    throw hasCode(lost, 'CACHE_LAYER_LOST') ? lost : error
  }
}

/** Of what an export came to, what it was for layers and what for cache mounts. */
function apart(
  { sent, present }: CacheExport,
  mounts: readonly SharedMount[],
  sentChunks: ReadonlySet<string>,
): Pick<ExportedCache, 'sent' | 'present' | 'mounts'> {
  const chunks = [...new Map(mounts.flatMap(chunkBlobs).map((chunk) => [chunk.digest, chunk])).values()]
  const fresh = total(chunks.filter(({ digest }) => sentChunks.has(digest)))
  const old = total(chunks.filter(({ digest }) => !sentChunks.has(digest)))
  const ids = [...new Set(mounts.map(({ id }) => id))].sort()
  return { sent: less(sent, fresh), present: less(present, old), mounts: { ids, sent: fresh, present: old } }
}

function total(blobs: readonly Descriptor[]): BlobCount {
  return { blobs: blobs.length, size: blobs.reduce((sum, { size }) => sum + size, 0) }
}

function less(all: BlobCount, some: BlobCount): BlobCount {
  return { blobs: Math.max(0, all.blobs - some.blobs), size: Math.max(0, all.size - some.size) }
}

/** Whether a cache is in the registry that a repository (`registry/repository`) is in. */
function isOfRegistry({ type, name }: PreparedExport, repository: string): boolean {
  return type === 'registry' && name.startsWith(`registry ${repository.slice(0, repository.indexOf('/') + 1)}`)
}
