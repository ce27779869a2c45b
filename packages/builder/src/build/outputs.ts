/** From solved root filesystems to outputs: layers are packed, images assembled once per format, exporters run in order. */
import { randomBytes } from 'node:crypto'
import { type Descriptor, formatPlatform, type Source } from '@tsbuild/registry-client'
import { inlineCache } from '../cache/backends/inline.ts'
import { annotationsOf } from '../export/annotations.ts'
import type { BuiltImages, DocumentFormat, ExportContext, RootfsOptions } from '../export/exporter.ts'
import type { Layer } from '../graph/layer.ts'
import type { RootfsStep } from '../graph/step.ts'
import { type AssembledImage, assembleImage, assembleIndex } from '../image/assemble.ts'
import type { BuildResult, OutputResult } from '../results.ts'
import { isOfBase, type LayerStack, type StackLayer } from '../steps/layer-stack.ts'
import { blobSource } from './blob-source.ts'
import { inlineDocument } from './inline-cache.ts'
import { warnOfLeftOut } from './left-out.ts'
import { recompressedLayer } from './recompress.ts'
import { rewrittenLayer } from './rewrite.ts'
import type { Session } from './session.ts'
import { type BuildSettings, isInline } from './settings.ts'
import { imageStacks } from './shared-steps.ts'
import type { BuildSolver, Solved, SolvedImage } from './solver.ts'

const DEFAULT_FORMAT: DocumentFormat = {
  format: 'oci',
  compression: 'gzip',
  level: undefined,
  force: false,
  rewriteTimestamp: false,
  epoch: 'own',
  annotations: [],
}

/** What a build came to, as far as outputs know. */
type ExportedBuild = Omit<BuildResult, 'cache' | 'explanation'>

/** Runs all outputs; the result describes the image as the first of them wrote it. */
export async function exportAll(
  solved: readonly SolvedImage[],
  solver: BuildSolver,
  session: Session,
  settings: BuildSettings,
): Promise<ExportedBuild> {
  const assembler = new Assembler(solved, solver, session, settings)
  const outputs: OutputResult[] = []
  let first: BuiltImages | undefined
  for (const output of settings.outputs) {
    outputs.push(
      await session.task(output.title, async (progress) => {
        const context: ExportContext = {
          store: session.store,
          tags: settings.tags,
          stdout: settings.options.stdout,
          signal: session.signal,
          now: Date.now,
          source: assembler.source(),
          complete: () => assembler.complete(),
          images: async (format) => {
            const built = await assembler.images({ ...DEFAULT_FORMAT, ...format })
            first ??= built
            return built
          },
          writeRootfs: (dest, format, options) => assembler.writeRootfs(dest, format, options),
          repository: (name, options) => session.repository(name, options),
          warn: (message) => session.warn({ rule: '', message }),
          mountFrom: assembler.mountFrom(),
          progress,
        }
        return await output.export(context)
      }),
    )
  }
  const image = first ?? (await assembler.images(DEFAULT_FORMAT))
  return buildResult(image, outputs, solver, session, settings)
}

class Assembler {
  readonly #solved: readonly SolvedImage[]
  readonly #solver: BuildSolver
  readonly #session: Session
  readonly #settings: BuildSettings
  readonly #done = new Map<string, Promise<BuiltImages>>()

  constructor(solved: readonly SolvedImage[], solver: BuildSolver, session: Session, settings: BuildSettings) {
    this.#solved = solved
    this.#solver = solver
    this.#session = session
    this.#settings = settings
  }

  images(format: DocumentFormat): Promise<BuiltImages> {
    const key = JSON.stringify(format)
    let built = this.#done.get(key)
    if (built === undefined) {
      built = this.#assemble(format)
      this.#done.set(key, built)
    }
    return built
  }

  async #assemble(format: DocumentFormat): Promise<BuiltImages> {
    const { blobs } = this.#session.store
    const annotations = [...this.#settings.annotations, ...format.annotations]
    const images: AssembledImage[] = []
    for (const { plan, rootfs, epoch } of this.#variants(format.epoch)) {
      if (format.rewriteTimestamp && epoch === undefined)
        this.#session.warn({ rule: '', message: 'rewrite-timestamp has no effect without SOURCE_DATE_EPOCH' })
      const layers = await Promise.all(rootfs.stack.parts().map((part) => this.#layer(part, epoch, format)))
      const extra = this.#settings.cacheTo.some(isInline)
        ? inlineCache(await inlineDocument({ plan, rootfs }, layers, format, this.#solver, this.#settings))
        : {}
      images.push(
        await assembleImage(
          {
            platform: plan.platform,
            image: plan.image,
            extra,
            layers,
            times: {
              layers: rootfs.stack.layers().map((l) => l.created),
              build: plan.epoch === undefined ? undefined : plan.epoch * 1000,
              output: epoch === undefined ? undefined : epoch * 1000,
              now: Date.now(),
            },
            descriptions: describeLayers(plan.rootfs, layers.length),
            annotations: annotationsOf(annotations, 'manifest', plan.platform),
            descriptorAnnotations: annotationsOf(annotations, 'manifest-descriptor', plan.platform),
            format: format.format,
          },
          blobs,
        ),
      )
    }
    const created = images
      .map((i) => i.created)
      .sort()
      .at(-1)!
    if (images.length === 1) return { descriptor: withoutPlatform(images[0]!.manifest), images, created }
    const index = await assembleIndex(
      images.map((i) => i.manifest),
      format.format,
      annotationsOf(annotations, 'index'),
      blobs,
    )
    return { descriptor: annotated(index, annotationsOf(annotations, 'index-descriptor')), images, created }
  }

  /** The blob of a stack's top layer, with its times moved back where the output asks for it. */
  async #layer(stack: LayerStack, epoch: number | undefined, format: DocumentFormat): Promise<Layer> {
    const { layers } = this.#solver
    const layer = stack.top!
    const blob = await layers.blob(stack, format)
    if (format.force && isOfBase(layer)) {
      await layers.stored(layer)
      return await recompressedLayer(blob, format, this.#session)
    }
    if (epoch === undefined || layer.started === undefined) return blob
    if (!format.rewriteTimestamp) return blob
    await layers.stored(layer)
    return await rewrittenLayer(blob, epoch, this.#session)
  }

  /** Fetches the blobs of base images and shared caches that are not in the store yet. */
  async complete(): Promise<void> {
    await Promise.all(this.#fetched().map((layer) => this.#solver.layers.stored(layer)))
  }

  /** What outputs copy. */
  source(): Source {
    return blobSource(this.#session.store, this.#solver.layers, this.#fetched())
  }

  /** Repositories of a registry that may have a blob, likeliest first. */
  mountFrom(): (descriptor: Descriptor) => string[] {
    const all = [...new Set(this.#fetched().flatMap(({ source }) => source!.repository ?? []))]
    const byDigest = Map.groupBy(this.#fetched(), ({ known }) => known?.descriptor.digest)
    return ({ digest }) => {
      const own = (byDigest.get(digest) ?? []).flatMap(({ source }) => source!.repository ?? [])
      return [...new Set([...own, ...(this.#solver.caches?.repositoriesOf(digest) ?? []), ...all])]
    }
  }

  /** Layers whose blobs are to be had elsewhere. */
  #fetched(): StackLayer[] {
    return imageStacks(this.#solved).flatMap((stack) => stack.layers().filter(({ source }) => source !== undefined))
  }

  async writeRootfs(dest: string, format: 'directory' | 'tar', { split, epoch }: RootfsOptions): Promise<void> {
    const { layers, worker } = this.#solver
    const { signal } = this.#session
    const parts = []
    for (const { plan, rootfs, epoch: time } of this.#variants(epoch)) {
      const name = formatPlatform(plan.platform)
      const directory = (split ?? this.#solved.length > 1) ? name.replaceAll('/', '_') : ''
      parts.push({ stack: await layers.snapshots(rootfs.stack), source: '/', directory, name, time })
    }
    const operation = format === 'tar' ? 'rootfs.tar' : 'rootfs.copy'
    warnOfLeftOut(await worker.call(operation, { parts, dest }, { signal }), this.#session)
  }

  /** What an output is made of, and the SOURCE_DATE_EPOCH it has, which may take that of the build away. */
  #variants(wanted: DocumentFormat['epoch']): (Solved & { readonly epoch: number | undefined })[] {
    return this.#solved.map((solved) => {
      const { plan, rootfs } = wanted === 'none' ? (solved.undated ?? solved) : solved
      return { plan, rootfs, epoch: wanted === 'own' ? plan.epoch : wanted === 'none' ? undefined : wanted }
    })
  }
}

/** What made each layer, in the reference's words where it has any. */
function describeLayers(top: RootfsStep | undefined, count: number): string[] {
  const descriptions: string[] = []
  for (let step = top; step !== undefined && step.kind !== 'image'; step = step.parent)
    descriptions.push(step.kind === 'run' ? `mount / from exec ${step.args.join(' ')}` : step.name)
  return [...Array.from({ length: count - descriptions.length }, () => 'base image'), ...descriptions.reverse()]
}

function withoutPlatform({ platform: _, ...descriptor }: Descriptor): Descriptor {
  return descriptor
}

function annotated(descriptor: Descriptor, annotations: Readonly<Record<string, string>>): Descriptor {
  return Object.keys(annotations).length > 0 ? { ...descriptor, annotations } : descriptor
}

/** As the reference makes ids: 25 letters and digits. */
function buildId(): string {
  return BigInt(`0x${randomBytes(20).toString('hex')}`)
    .toString(36)
    .padStart(25, '0')
    .slice(-25)
}

function buildResult(
  built: BuiltImages,
  outputs: readonly OutputResult[],
  solver: BuildSolver,
  session: Session,
  settings: BuildSettings,
): ExportedBuild {
  const { descriptor, images } = built
  const names = [...new Set(outputs.flatMap((o) => o.names ?? settings.tags).map((n) => n.replace(/@.*$/, '')))]
  return {
    descriptor,
    digest: descriptor.digest,
    platforms: images.map(({ platform, manifest, config, layers, diffIDs }) => ({
      platform,
      manifest,
      config,
      layers,
      diffIDs,
    })),
    outputs,
    warnings: session.warnings,
    steps: { total: solver.counts.total, cached: solver.counts.cached },
    metadata: {
      'buildx.build.ref': `tsbuild/tsbuild/${buildId()}`,
      ...(images.length === 1 && { 'containerimage.config.digest': images[0]!.config.digest }),
      'containerimage.descriptor': descriptor,
      'containerimage.digest': descriptor.digest,
      ...(names.length > 0 && { 'image.name': names.join(',') }),
    },
  }
}
