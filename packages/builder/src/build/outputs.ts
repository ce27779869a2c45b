/** From solved root filesystems to outputs: layers are packed, images assembled once per format, exporters run in order. */

import { join } from 'node:path'
import { type Descriptor, formatPlatform } from '@tsbuild/registry-client'
import type { BuiltImages, DocumentFormat, ExportContext } from '../export/exporter.ts'
import type { RootfsStep } from '../graph/step.ts'
import { type AssembledImage, assembleImage, assembleIndex } from '../image/assemble.ts'
import type { BuildResult, OutputResult } from '../options.ts'
import type { LayerBlob, StackLayer } from '../steps/types.ts'
import { rewrittenLayer } from './rewrite.ts'
import type { Session } from './session.ts'
import type { BuildSettings } from './settings.ts'
import type { BuildSolver, SolvedImage } from './solver.ts'

const DEFAULT_FORMAT: DocumentFormat = {
  format: 'oci',
  compression: 'gzip',
  level: undefined,
  rewriteTimestamp: false,
  epoch: 'none',
  annotations: {},
  indexAnnotations: {},
}

/** Runs all outputs; the result describes the image as the first of them wrote it. */
export async function exportAll(
  solved: readonly SolvedImage[],
  solver: BuildSolver,
  session: Session,
  settings: BuildSettings,
): Promise<BuildResult> {
  const assemblers = new Map(
    [false, true].map((withoutEpoch) => {
      const own = solved.filter(({ plan }) => plan.withoutEpoch === withoutEpoch)
      return [withoutEpoch, new Assembler(own.length > 0 ? own : solved, solver, session, settings)]
    }),
  )
  const outputs: OutputResult[] = []
  let first: BuiltImages | undefined
  for (const output of settings.outputs) {
    const assembler = assemblers.get(output.withoutEpoch === true)!
    outputs.push(
      await session.task(output.title, async (progress) => {
        const context: ExportContext = {
          store: session.store,
          tags: settings.tags,
          stdout: settings.options.stdout,
          signal: session.signal,
          now: Date.now,
          complete: () => assembler.complete(),
          images: async (format) => {
            const built = await assembler.images({ ...DEFAULT_FORMAT, ...format })
            first ??= built
            return built
          },
          writeRootfs: (dest, format) => assembler.writeRootfs(dest, format),
          repository: (name) => session.repository(name),
          mountFrom: [...new Set([...solver.images.values()].flatMap((i) => i.repository ?? []))],
          progress,
        }
        return await output.export(context)
      }),
    )
  }
  const image = first ?? (await assemblers.get(settings.outputs.every((o) => o.withoutEpoch))!.images(DEFAULT_FORMAT))
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
    const { annotations } = this.#settings
    const images: AssembledImage[] = []
    for (const { plan, rootfs } of this.#solved) {
      const epoch = format.epoch === 'none' ? plan.epoch : format.epoch
      const layers = await Promise.all(rootfs.stack.map((_, i) => this.#layer(rootfs.stack, i, epoch, format)))
      images.push(
        await assembleImage(
          {
            platform: plan.platform,
            image: plan.image,
            layers,
            times: {
              layers: rootfs.stack.map((l) => l.created),
              build: plan.epoch === undefined ? undefined : plan.epoch * 1000,
              output: epoch === undefined ? undefined : epoch * 1000,
              now: Date.now(),
            },
            descriptions: describeLayers(plan.rootfs, layers.length),
            annotations: { ...annotations.manifest, ...format.annotations },
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
    const notes = { ...annotations.index, ...format.indexAnnotations }
    const descriptor = await assembleIndex(
      images.map((i) => i.manifest),
      format.format,
      notes,
      blobs,
    )
    return { descriptor, images, created }
  }

  /** The blob of a layer, with its times moved back where the output asks for it. */
  async #layer(
    stack: readonly StackLayer[],
    index: number,
    epoch: number | undefined,
    format: DocumentFormat,
  ): Promise<LayerBlob> {
    const blob = await this.#solver.layers.blob(stack, index, format)
    if (epoch === undefined || stack[index]!.started === undefined) return blob
    return format.rewriteTimestamp ? await rewrittenLayer(blob, epoch, this.#session) : blob
  }

  /** Fetches the blobs of base images that are not in the store yet. */
  async complete(): Promise<void> {
    const stacks = this.#solved.flatMap((s) => s.rootfs.stack)
    await Promise.all(stacks.filter((l) => l.image !== undefined).map((l) => this.#solver.layers.stored(l)))
  }

  async writeRootfs(dest: string, format: 'directory' | 'tar'): Promise<void> {
    const { layers, worker } = this.#solver
    const { signal } = this.#session
    const several = this.#solved.length > 1
    const parts = []
    for (const { plan, rootfs } of this.#solved) {
      const directory = several ? formatPlatform(plan.platform).replaceAll('/', '_') : ''
      parts.push({ stack: await layers.snapshots(rootfs.stack), source: '/', directory })
    }
    if (format === 'tar') return await worker.call('rootfs.tar', { parts, dest }, { signal })
    for (const { stack, source, directory } of parts)
      await worker.call('rootfs.copy', { stack, source, dest: join(dest, directory) }, { signal })
  }
}

/** What made each layer, in the reference's words where it has any. */
function describeLayers(top: RootfsStep | undefined, count: number): string[] {
  const descriptions: string[] = []
  for (let step = top; step !== undefined && step.kind !== 'image'; step = step.parent)
    descriptions.push(step.kind === 'run' ? `mount / from exec ${step.args.join(' ')}` : step.name)
  return [...Array.from({ length: count - descriptions.length }, () => 'base image'), ...descriptions.reverse()]
}

function withoutPlatform({ mediaType, digest, size }: Descriptor): Descriptor {
  return { mediaType, digest, size }
}

function buildResult(
  built: BuiltImages,
  outputs: readonly OutputResult[],
  solver: BuildSolver,
  session: Session,
  settings: BuildSettings,
): BuildResult {
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
      ...(images.length === 1 && { 'containerimage.config.digest': images[0]!.config.digest }),
      'containerimage.descriptor': descriptor,
      'containerimage.digest': descriptor.digest,
      ...(names.length > 0 && { 'image.name': names.join(',') }),
    },
  }
}
