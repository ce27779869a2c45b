/** The choice of an image from an index, by the rules that containerd and BuildKit follow. */
import type { Descriptor, Index } from './descriptor.ts'
import { normalizePlatform, type Platform } from './platform.ts'

/**
 * The entry of an index that fits a platform best, undefined when none does.
 *
 * Exactly the platform is best; else what such a machine also runs: a lower variant (arm v8 → v7 → v6 → v5, amd64 v3 →
 * v2 → v1), then 386 on amd64 and 32-bit arm on arm64. On Windows the builds of the os versions must be the same and
 * the highest revision wins. Entries without platform are taken last, in their order; `unknown/unknown`
 * (attestations) never.
 */
export function matchPlatform(index: Pick<Index, 'manifests'>, platform: Platform): Descriptor | undefined {
  const wanted = normalizePlatform(platform)
  const vector = runnable(wanted)
  let best: { rank: number; descriptor: Descriptor } | undefined
  for (const descriptor of index.manifests) {
    const rank = rankOf(descriptor, wanted, vector)
    if (rank === undefined) continue
    if (best === undefined || rank < best.rank || (rank === best.rank && isNewerBuild(descriptor, best.descriptor))) {
      best = { rank, descriptor }
    }
  }
  return best?.descriptor
}

/** true when an image of `candidate` runs on `platform` by the rules of {@link matchPlatform}. */
export function platformMatches(candidate: Platform, platform: Platform): boolean {
  const wanted = normalizePlatform(platform)
  return rankPlatform(candidate, wanted, runnable(wanted)) !== undefined
}

function rankOf(descriptor: Descriptor, wanted: Platform, vector: readonly string[]): number | undefined {
  const candidate = descriptor.platform
  return candidate === undefined ? vector.length : rankPlatform(candidate, wanted, vector)
}

function rankPlatform(candidate: Platform, wanted: Platform, vector: readonly string[]): number | undefined {
  const normal = normalizePlatform(candidate)
  if (normal.os !== wanted.os) return undefined
  const offered = wanted['os.features'] ?? []
  if ((normal['os.features'] ?? []).some((feature) => normal.os !== 'windows' && !offered.includes(feature)))
    return undefined
  if (normal.os === 'windows' && !sameBuild(normal['os.version'], wanted['os.version'])) return undefined
  const rank = vector.indexOf(archKey(normal))
  return rank < 0 ? undefined : rank
}

function archKey(platform: Pick<Platform, 'architecture' | 'variant'>): string {
  return `${platform.architecture}/${platform.variant ?? ''}`
}

/** Architectures a machine runs, best first. */
function runnable({ architecture, variant }: Platform): string[] {
  const version = /^v([0-9]+)$/.exec(variant ?? '')
  const keys = [archKey({ architecture, ...(variant !== undefined && { variant }) })]
  if (architecture === 'amd64') {
    for (let v = Number(version?.[1] ?? 1) - 1; v >= 1; v--) keys.push(v === 1 ? 'amd64/' : `amd64/v${v}`)
    keys.push('386/')
  } else if (architecture === 'arm64') {
    if (variant !== undefined) keys.push(...lowerArm64(variant))
    for (const v of [8, 7, 6, 5]) keys.push(`arm/v${v}`)
  } else if (architecture === 'arm') {
    for (let v = Number(version?.[1] ?? 5) - 1; v >= 5; v--) keys.push(`arm/v${v}`)
  }
  return keys
}

/** v9.N includes v8.(N+5); every version includes the lower ones of its major. */
function lowerArm64(variant: string): string[] {
  const match = /^v(8|9)(?:\.([0-9]{1,2}))?$/.exec(variant)
  if (match === null) return ['arm64/']
  const keys: string[] = []
  let minor = Number(match[2] ?? 0)
  const key = (major: number, m: number) =>
    major === 8 && m === 0 ? 'arm64/' : `arm64/v${major}${m === 0 ? '' : `.${m}`}`
  if (match[1] === '9') {
    for (let m = minor - 1; m >= 0; m--) keys.push(key(9, m))
    minor += 6
  }
  for (let m = minor - 1; m >= 0; m--) keys.push(key(8, m))
  return keys
}

function sameBuild(candidate: string | undefined, wanted: string | undefined): boolean {
  if (!candidate || !wanted) return true
  const build = (version: string) => version.split('.').slice(0, 3).join('.')
  return build(candidate) === build(wanted)
}

function isNewerBuild(a: Descriptor, b: Descriptor): boolean {
  const revision = (d: Descriptor) => Number(d.platform?.['os.version']?.split('.')[3] ?? 0)
  return a.platform?.os.toLowerCase() === 'windows' && revision(a) > revision(b)
}
