/**
 * Annotations of an image's documents, as `--annotation` and the `annotation…` attributes of outputs name them: of the
 * manifests or the index, or of the descriptors that point at those; of all platforms or of one.
 */
import { formatPlatform, normalizePlatform, type Platform, parsePlatform } from '@tsbuild/registry-client'

export const ANNOTATION_TARGETS = ['manifest', 'manifest-descriptor', 'index', 'index-descriptor'] as const

/** What an annotation belongs to. */
export type AnnotationTarget = (typeof ANNOTATION_TARGETS)[number]

export interface Annotation {
  readonly target: AnnotationTarget
  /** Of this platform's manifest only; undefined for all. */
  readonly platform: string | undefined
  readonly key: string
  readonly value: string
}

/** Where an annotation belongs: `manifest[linux/arm64]`. @throws Error in words */
export function annotationPlace(text: string): Pick<Annotation, 'target' | 'platform'> {
  const match = /^([a-z-]+)(?:\[([A-Za-z0-9_/-]+)\])?$/.exec(text)
  if (!match)
    throw new Error(
      `invalid annotation type ${JSON.stringify(text)}, expected type and optional platform in square brackets`,
    )
  const target = ANNOTATION_TARGETS.find((known) => known === match[1])
  if (target === undefined)
    throw new Error(`unknown annotation type ${JSON.stringify(match[1])}, expected ${ANNOTATION_TARGETS.join(', ')}`)
  // There is one index for all platforms.
  const one = match[2] !== undefined && target.startsWith('manifest')
  return { target, platform: one ? formatPlatform(normalizePlatform(parsePlatform(match[2]!))) : undefined }
}

/** The annotations of one document; of equal keys the last one counts, and one for the platform before one for all. */
export function annotationsOf(
  list: readonly Annotation[],
  target: AnnotationTarget,
  platform?: Platform,
): Readonly<Record<string, string>> {
  const name = platform && formatPlatform(platform)
  const found = list.filter((annotation) => annotation.target === target)
  return Object.fromEntries(
    [...found.filter((a) => a.platform === undefined), ...found.filter((a) => a.platform === name && name)].map(
      ({ key, value }) => [key, value],
    ),
  )
}

/** Of an index, which there is only for several platforms. */
export function isOfIndex({ target }: Annotation): boolean {
  return target === 'index' || target === 'index-descriptor'
}
