/** Reading the attributes of `--output` strictly: every attribute is known, every value of its type. */
import { defineError, outputFailed } from '../errors.ts'
import { COMPRESSION_ATTRIBUTES, compressionOf } from '../layer/compression-attributes.ts'
import { AttributeReader } from '../util/attributes.ts'
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
  ...COMPRESSION_ATTRIBUTES,
  'oci-mediatypes',
  'rewrite-timestamp',
  'source-date-epoch',
  'annotation',
  ...ANNOTATION_TARGETS.map((target) => `annotation-${target}` as const),
] as const

const ANNOTATION = /^annotation(?:-([^.[]*(?:\[[^\]]*\])?)|(\[[^\]]*\]))?\.(\S+)$/

/** The attributes of one output; `known` is the table of those that its type has. */
export class Attributes<Name extends string> extends AttributeReader<Name> {
  readonly #values: ReadonlyMap<string, string>

  /** @throws BuildError OUTPUT_INVALID for attributes that the type does not have */
  constructor(type: string, known: readonly Name[], values: ReadonlyMap<string, string>) {
    const annotations = known.some((name) => name === 'annotation')
    const owner = {
      type,
      of: `of output type ${type}`,
      for: `for ${type} exporter`,
      fail: (problem: string, hint?: string) =>
        exportErrors.outputInvalid([problem], hint === undefined ? undefined : { hint }),
    }
    super(owner, values, known, (name) => {
      if (annotations && /^annotation[-.[]/.test(name)) return true
      return known.some((one) => one === name && !one.startsWith('annotation'))
    })
    this.#values = values
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
    const choice = compressionOf(this)
    const oci = this.flag('oci-mediatypes', fallback === 'oci')
    // Docker has no type for them.
    if (choice.compression === 'zstd' && !oci)
      this.warnings.push('documents have OCI media types, since layers are compressed by zstd')
    return {
      format: oci || choice.compression === 'zstd' ? 'oci' : 'docker',
      ...choice,
      rewriteTimestamp: this.flag('rewrite-timestamp', false),
      epoch: this.epoch(),
      annotations: this.#annotations(),
    }
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
