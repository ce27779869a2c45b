/** Reading the attributes of `--output` strictly: every attribute is known, every value of its type. */
import { defineError } from '../errors.ts'
import type { DocumentFormat } from './exporter.ts'

export const exportErrors = {
  outputInvalid: defineError({
    code: 'OUTPUT_INVALID',
    doc: 'An `--output` has an unknown type or attribute, or a value of the wrong form.',
    message: (problem: string) => problem,
    hint: 'outputs look like type=oci,dest=image.tar or type=registry,name=host/repository:tag',
  }),
  outputFailed: defineError({
    code: 'OUTPUT_FAILED',
    doc: 'Writing an output failed: no space, no permission, or a path that is in the way. Nothing half-written is left.',
    message: (dest: string, problem: string) => `failed to write ${dest}: ${problem}`,
  }),
  pushFailed: defineError({
    code: 'PUSH_FAILED',
    doc: 'The registry did not take the image.',
    message: (name: string, problem: string) => `failed to push ${name}: ${problem}`,
  }),
}

export class Attributes {
  readonly #type: string
  readonly #values: ReadonlyMap<string, string>
  readonly #used = new Set<string>()

  constructor(type: string, values: ReadonlyMap<string, string>) {
    this.#type = type
    this.#values = values
  }

  text(name: string): string | undefined {
    this.#used.add(name)
    return this.#values.get(name)
  }

  flag(name: string, fallback: boolean): boolean {
    const value = this.text(name)
    if (value === undefined) return fallback
    if (value === '' || /^(1|t|true)$/i.test(value)) return true
    if (/^(0|f|false)$/i.test(value)) return false
    throw exportErrors.outputInvalid([`non-bool value for ${name}: ${JSON.stringify(value)}`])
  }

  required(name: string): string {
    const value = this.text(name)
    if (!value) throw exportErrors.outputInvalid([`${name} is required for ${this.#type} exporter`])
    return value
  }

  /** Attributes that decide how the image's documents are written. */
  format(fallback: 'oci' | 'docker'): Partial<DocumentFormat> {
    const compression = this.text('compression') ?? 'gzip'
    const level = this.text('compression-level')
    this.flag('force-compression', false)
    const type = compression === 'uncompressed' ? 'none' : compression
    if (type !== 'gzip' && type !== 'zstd' && type !== 'none')
      throw exportErrors.outputInvalid([`unsupported layer compression type: ${JSON.stringify(compression)}`])
    if (level !== undefined && !/^-?\d{1,2}$/.test(level))
      throw exportErrors.outputInvalid([`non-integer value for compression-level: ${JSON.stringify(level)}`])
    const epochText = this.text('source-date-epoch')
    if (epochText && !/^-?\d{1,15}$/.test(epochText))
      throw exportErrors.outputInvalid([`invalid SOURCE_DATE_EPOCH: ${epochText}`])
    const rewrite = this.flag('rewrite-timestamp', false)
    const oci = this.flag('oci-mediatypes', fallback === 'oci')
    return {
      format: oci ? 'oci' : 'docker',
      compression: type,
      level: level === undefined ? undefined : Number(level),
      rewriteTimestamp: rewrite,
      ...(epochText !== undefined && { epoch: epochText === '' ? 'none' : Number(epochText) }),
      ...this.#annotations(),
    }
  }

  #annotations(): Pick<DocumentFormat, 'annotations' | 'indexAnnotations'> {
    const annotations: Record<string, string> = {}
    const indexAnnotations: Record<string, string> = {}
    for (const [name, value] of this.#values) {
      const match = /^annotation(?:-(manifest|index|manifest-descriptor|index-descriptor))?(?:\[[^\]]*\])?\.(.+)$/.exec(
        name,
      )
      if (!match) continue
      this.#used.add(name)
      if (match[1] === undefined || match[1] === 'manifest') annotations[match[2]!] = value
      else if (match[1] === 'index') indexAnnotations[match[2]!] = value
    }
    return { annotations, indexAnnotations }
  }

  /** Every attribute that was asked for, whether it was given or not. */
  #known(): string[] {
    return [...this.#used].filter((name) => !name.startsWith('annotation')).sort()
  }

  /** Refuses what no one asked for. */
  finish(): void {
    for (const name of this.#values.keys())
      if (!this.#used.has(name))
        throw exportErrors.outputInvalid([`unknown attribute ${JSON.stringify(name)} of output type ${this.#type}`], {
          hint: this.#used.size === 0 ? 'it has no attributes' : `the attributes are ${this.#known().join(', ')}`,
        })
  }
}
