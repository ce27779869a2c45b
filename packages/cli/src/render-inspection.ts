/** An image for people, as `tsbuild inspect` shows it. */
import type { Descriptor, ImageConfig } from '@tsbuild/registry-client'
import { escapeControls } from './progress/escape.ts'
import { formatBytes } from './progress/format.ts'

/** One image of an index, or the only one. */
export interface InspectedImage {
  /** `os/arch[/variant]`, '' for an artifact. */
  readonly platform: string
  readonly digest: string
  /** The digest of its config: what docker calls the image's id. */
  readonly id: string
  /** Absent for an artifact that is no image. */
  readonly config?: ImageConfig
  readonly layers: readonly Descriptor[]
}

/** A manifest or index with the images that it leads to. */
export interface Inspection {
  readonly name: string
  readonly digest: string
  readonly mediaType: string
  /** The manifest or index as it is stored. */
  readonly bytes: Buffer
  readonly images: readonly InspectedImage[]
}

export function renderInspection(inspection: Inspection): string {
  const lines = [
    row('Name', inspection.name),
    row('Digest', inspection.digest),
    row('MediaType', inspection.mediaType),
    ...inspection.images.flatMap((image) => ['', ...imageLines(image)]),
  ]
  return `${lines.map(escapeControls).join('\n')}\n`
}

function imageLines(image: InspectedImage): string[] {
  const config = image.config?.config
  const size = image.layers.reduce((sum, layer) => sum + layer.size, 0)
  const lists: readonly (readonly [string, readonly string[]])[] = [
    ['Env', config?.Env ?? []],
    ['Ports', Object.keys(config?.ExposedPorts ?? {})],
    ['Volumes', Object.keys(config?.Volumes ?? {})],
    ['Labels', Object.entries(config?.Labels ?? {}).map(([key, value]) => `${key}=${value}`)],
  ]
  return [
    row('Platform', image.platform),
    row('Digest', image.digest),
    row('Created', image.config?.created ?? ''),
    row('User', config?.User ?? ''),
    row('WorkingDir', config?.WorkingDir ?? ''),
    row('Entrypoint', command(config?.Entrypoint)),
    row('Cmd', command(config?.Cmd)),
    ...lists.flatMap(([name, values]) => values.map((value, i) => row(i === 0 ? name : '', value))),
    row('Size', `${formatBytes(size)} in ${image.layers.length} layers`),
    ...image.layers.map((layer, i) => row(i === 0 ? 'Layers' : '', `${layer.digest} ${formatBytes(layer.size)}`)),
  ].filter((line) => line !== '')
}

const row = (name: string, value: string): string => (value === '' ? '' : `${name.padEnd(12)}${value}`)

const command = (args: readonly string[] | null | undefined): string => (args ? JSON.stringify(args) : '')
