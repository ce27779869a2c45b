/** The lines that close a successful build. */
import type { BlobCount, BuildResult } from '@tsbuild/builder'
import { escapeControls } from './progress/escape.ts'
import { formatBytes, formatSeconds } from './progress/format.ts'

/**
 * @param ms how long the build took
 * @param stream where an output with `dest=-` went
 */
export function renderSummary(result: BuildResult, ms: number, stream = 'to stdout'): string {
  const { total, cached } = result.steps
  const count = `${total} ${total === 1 ? 'step' : 'steps'}`
  const steps = cached === total && total > 0 ? `${count}, all cached` : `${count}, ${cached} cached`
  const lines = [`${contents(result)}; ${steps}; ${formatSeconds(ms)}`, `digest ${result.digest}`]
  for (const output of result.outputs) {
    if (output.type === 'cacheonly') continue
    const names = (output.names ?? []).map((name) => name.replace(`@${result.digest}`, ''))
    const where = [...(output.dest ? [output.dest === '-' ? stream : output.dest] : []), ...names]
    lines.push(`${output.type}${where.length > 0 ? ` ${where.join(', ')}` : ''}`)
  }
  for (const { name, hits, records, fetched, mounts, problem } of result.cache.imported) {
    const filled = mounts.ids.length === 0 ? '' : `; filled ${countedMounts(mounts.ids)}, ${formatBytes(mounts.size)}`
    const use = `used ${hits} of ${records} results, fetched ${counted(fetched)}${filled}`
    lines.push(`cache from ${name}: ${problem === undefined ? use : 'not used'}`)
  }
  for (const { name, records, sent, present, mounts, problem } of result.cache.exported) {
    const carried = `${countedMounts(mounts.ids)}, sent ${formatBytes(mounts.sent.size)}, had ${formatBytes(mounts.present.size)}`
    const results = `${records} ${records === 1 ? 'result' : 'results'}; sent ${counted(sent)}; had ${counted(present)}`
    const work = mounts.ids.length === 0 ? results : `${results}; ${carried}`
    lines.push(`cache to ${name}: ${problem === undefined ? work : 'not exported'}`)
  }
  return `${['', ...lines.map(escapeControls)].join('\n')}\n`
}

function contents(result: BuildResult): string {
  const layers = result.platforms.flatMap((platform) => platform.layers)
  const size = layers.reduce((sum, layer) => sum + layer.size, 0)
  const platforms = result.platforms.length > 1 ? `${result.platforms.length} platforms, ` : ''
  return `built ${platforms}${counted({ blobs: layers.length, size })}`
}

function countedMounts(ids: readonly string[]): string {
  return `${ids.length} cache ${ids.length === 1 ? 'mount' : 'mounts'}`
}

function counted({ blobs, size }: BlobCount): string {
  return `${blobs} ${blobs === 1 ? 'layer' : 'layers'}, ${formatBytes(size)}`
}
