/**
 * What belongs to a manifest by the name of its tag alone: cosign keeps signatures, attestations and SBOMs under
 * `sha256-<hex>.sig`, `.att` and `.sbom`, and nothing in them names their subject.
 */

import type { Companion, FetchedManifest, FoundCompanion } from './content.ts'
import type { Digest } from './digest.ts'
import { isRegistryError } from './errors.ts'
import { referrersTag } from './referrer.ts'

const kinds = ['sig', 'att', 'sbom'] as const

/** The tag that a companion is kept under. */
export function companionTag({ subject, kind }: Companion): string {
  return `${referrersTag(subject)}.${kind}`
}

/** true for the tag of a companion, or of a list of referrers: no name that somebody has given. */
export function isCompanionTag(tag: string): boolean {
  return /^sha(?:256|384|512)-[a-f0-9]{64}(?:\.(?:sig|att|sbom))?$/.test(tag)
}

/** Finds the companions of a manifest where they are tags. @param fetch fails with NOT_FOUND when there is no such tag */
export async function* companionsByTag(
  subject: Digest,
  fetch: (tag: string) => Promise<FetchedManifest>,
): AsyncGenerator<FoundCompanion> {
  for (const kind of kinds) {
    const companion = { subject, kind }
    try {
      yield { companion, manifest: await fetch(companionTag(companion)) }
    } catch (error) {
      if (!isRegistryError(error, 'NOT_FOUND')) throw error
    }
  }
}
