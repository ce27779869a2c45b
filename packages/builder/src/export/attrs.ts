/** Reading the attributes of `--output` strictly: every attribute is known, every value of its type. */
import { defineError, outputFailed } from '../errors.ts'
import { ANNOTATION_TARGETS, type Annotation, annotationPlace } from './annotations.ts'
import type { DocumentFormat } from './exporter.ts'

export const exportErrors = {
  outputInvalid: defineError({
    code: 'OUTPUT_INVALID',
    doc: 'An `--output` has an unknown type or attribute, or a value of the wrong form.',
    message: (problem: string) => problem,
    hint: 'outputs look like type=oci,dest=image.tar or type=registry,name=host/repository:tag',
  }),
  outputFailed,
  pushFailed: defineError({
    code: 'PUSH_FAILED',
    doc: 'The registry did not take the image.',
    message: (name: string, problem: string) => `failed to push ${name}: ${problem}`,
  }),
}

/** Attributes that decide how an image's documents are written; `annotation…` stand for all that begin so. */
export const FORMAT_ATTRIBUTES = [
  'compression',
  'compression-level',
  'force-compression',
  'oci-mediatypes',
  'rewrite-timestamp',
  'source-date-epoch',
  'annotation',
  ...ANNOTATION_TARGETS.map((target) => `annotation-${target}` as const),
] as const

const ANNOTATION = /^annotation(?:-([^.[]*(?:\[[^\]]*\])?)|(\[[^\]]*\]))?\.(\S+)$/
/** Lowest and highest level of each compression. */
const LEVELS = { gzip: [0, 9], zstd: [1, 22] } as const

/** The attributes of one output; `known` is the table of those that its type has. */
export class Attributes<Name extends string> {
  readonly #type: string
  readonly #values: ReadonlyMap<string, string>
  /** What will have no effect, in words. */
  readonly warnings: string[] = []

  /** @throws BuildError OUTPUT_INVALID for attributes that the type does not have */
  constructor(type: string, known: readonly Name[], values: ReadonlyMap<string, string>) {
    this.#type = type
    this.#values = values
    const annotations = known.some((name) => name === 'annotation')
    for (const name of values.keys()) {
      if (known.some((one) => one === name && !one.startsWith('annotation'))) continue
      if (annotations && /^annotation[-.[]/.test(name)) continue
      throw exportErrors.outputInvalid([`unknown attribute ${JSON.stringify(name)} of output type ${type}`], {
        hint: known.length === 0 ? `type=${type} has no attributes` : `type=${type} has ${known.join(', ')}`,
      })
    }
  }

  text(name: Name): string | undefined {
    return this.#values.get(name)
  }

  flag(name: Name, fallback: boolean): boolean {
    return this.optionalFlag(name) ?? fallback
  }

  /** undefined when it is not given. */
  optionalFlag(name: Name): boolean | undefined {
    const value = this.text(name)
    if (value === undefined) return undefined
    if (value === '' || /^(1|t|true)$/i.test(value)) return true
    if (/^(0|f|false)$/i.test(value)) return false
    throw exportErrors.outputInvalid([`non-bool value for ${name}: ${JSON.stringify(value)}`])
  }

  required(name: Name): string {
    const value = this.text(name)
    if (!value) throw exportErrors.outputInvalid([`${name} is required for ${this.#type} exporter`])
    return value
  }

  /** `source-date-epoch`: seconds, `none` when it is empty, `own` when it is not given. */
  epoch(this: Attributes<Name | 'source-date-epoch'>): DocumentFormat['epoch'] {
    const text = this.text('source-date-epoch')
    if (text === undefined) return 'own'
    if (text === '') return 'none'
    if (!/^-?\d{1,15}$/.test(text)) throw exportErrors.outputInvalid([`invalid SOURCE_DATE_EPOCH: ${text}`])
    return Number(text)
  }

  /** {@link FORMAT_ATTRIBUTES} */
  format(
    this: Attributes<Name | (typeof FORMAT_ATTRIBUTES)[number]>,
    fallback: 'oci' | 'docker',
  ): Pick<DocumentFormat, 'epoch' | 'annotations'> & Partial<DocumentFormat> {
    const compression = this.text('compression') ?? 'gzip'
    const type = compression === 'uncompressed' ? 'none' : compression
    if (type !== 'gzip' && type !== 'zstd' && type !== 'none')
      throw exportErrors.outputInvalid([`unsupported layer compression type: ${JSON.stringify(compression)}`])
    const oci = this.flag('oci-mediatypes', fallback === 'oci')
    // Docker has no type for them.
    if (type === 'zstd' && !oci)
      this.warnings.push('documents have OCI media types, since layers are compressed by zstd')
    return {
      format: oci || type === 'zstd' ? 'oci' : 'docker',
      compression: type,
      level: this.#level(type),
      force: this.flag('force-compression', false),
      rewriteTimestamp: this.flag('rewrite-timestamp', false),
      epoch: this.epoch(),
      annotations: this.#annotations(),
    }
  }

  #level(type: DocumentFormat['compression']): number | undefined {
    const text = this.#values.get('compression-level')
    if (text === undefined) return undefined
    if (!/^-?\d{1,2}$/.test(text))
      throw exportErrors.outputInvalid([`non-integer value for compression-level: ${JSON.stringify(text)}`])
    if (type === 'none') {
      this.warnings.push('compression-level has no effect on uncompressed layers')
      return undefined
    }
    const [low, high] = LEVELS[type]
    if (Number(text) < low || Number(text) > high)
      throw exportErrors.outputInvalid([`compression-level ${text} is out of range: ${type} has ${low} to ${high}`])
    return Number(text)
  }

  #annotations(): Annotation[] {
    const found: Annotation[] = []
    for (const [name, value] of this.#values) {
      if (!/^annotation[-.[]/.test(name)) continue
      const match = ANNOTATION.exec(name)
      if (!match) throw exportErrors.outputInvalid([`could not fully parse annotation ${name}`])
      try {
        found.push({ ...annotationPlace(match[1] ?? `manifest${match[2] ?? ''}`), key: match[3]!, value })
      } catch (error) {
        throw exportErrors.outputInvalid([(error as Error).message], { cause: error })
      }
    }
    return found
  }
}
