import { describe, expect, it } from 'vitest'
import type { Descriptor } from './descriptor.ts'
import { matchPlatform, platformMatches } from './match-platform.ts'
import { formatPlatform, hostPlatform, normalizePlatform, parsePlatform } from './platform.ts'

const host = { os: 'linux', architecture: 'amd64' }

describe('parsePlatform', () => {
  it.for([
    ['linux/amd64', 'linux/amd64'],
    ['linux/x86_64', 'linux/amd64'],
    ['LINUX/X86-64', 'linux/amd64'],
    ['linux/amd64/v1', 'linux/amd64'],
    ['linux/amd64/v3', 'linux/amd64/v3'],
    ['linux/i386', 'linux/386'],
    ['linux/aarch64', 'linux/arm64'],
    ['linux/arm64/v8', 'linux/arm64'],
    ['linux/arm64/8', 'linux/arm64'],
    ['linux/arm64/v9', 'linux/arm64/v9'],
    ['linux/arm64/v9.0', 'linux/arm64/v9'],
    ['linux/arm', 'linux/arm/v7'],
    ['linux/arm/7', 'linux/arm/v7'],
    ['linux/arm/v6', 'linux/arm/v6'],
    ['linux/armhf', 'linux/arm/v7'],
    ['linux/armel', 'linux/arm/v6'],
    ['macos/arm64', 'darwin/arm64'],
    ['linux', 'linux/amd64'],
    ['arm64', 'linux/arm64'],
    ['s390x', 'linux/s390x'],
    ['windows(10.0.20348.1006)/amd64', 'windows(10.0.20348.1006)/amd64'],
    ['windows(10.0.20348+win32k)/amd64', 'windows(10.0.20348+win32k)/amd64'],
  ] as const)('%s → %s', ([text, expected]) => {
    const platform = parsePlatform(text, host)
    expect(formatPlatform(platform)).toBe(expected)
    expect(normalizePlatform(platform)).toEqual(platform)
  })

  it.for([
    ['', 'component'],
    ['linux/', 'component'],
    ['linux/amd64/v1/x', 'too many parts'],
    ['frobnix', 'unknown operating system or architecture'],
    ['linux/am d64', 'component'],
  ] as const)('refuses %j', ([text, why]) => {
    expect(() => parsePlatform(text, host)).toThrow(why)
  })

  it('knows the machine', () => {
    expect(formatPlatform(hostPlatform('x64'))).toBe('linux/amd64')
    expect(formatPlatform(hostPlatform('arm'))).toBe('linux/arm/v7')
  })
})

const entry = (platform: string | undefined, n: number): Descriptor => ({
  mediaType: 'application/vnd.oci.image.manifest.v1+json',
  digest: `sha256:${String(n).repeat(64).slice(0, 64)}`,
  size: 1,
  ...(platform !== undefined && { platform: raw(platform) }),
})

/** As written in an index: not normalised. */
function raw(text: string) {
  const [os, architecture, variant] = text.split('/') as [string, string, string?]
  const version = /^(.*)\((.*)\)$/.exec(os)
  return {
    os: version?.[1] ?? os,
    architecture,
    ...(variant && { variant }),
    ...(version && { 'os.version': version[2]! }),
  }
}

describe('matchPlatform', () => {
  it.for([
    ['linux/amd64', ['linux/arm64', 'linux/amd64'], 'linux/amd64'],
    ['linux/amd64', ['unknown/unknown', 'linux/amd64'], 'linux/amd64'],
    ['linux/arm64', ['linux/arm64/v8'], 'linux/arm64/v8'],
    ['linux/arm/v8', ['linux/arm/v5', 'linux/arm/v7', 'linux/arm/v6'], 'linux/arm/v7'],
    ['linux/arm/v6', ['linux/arm/v7', 'linux/arm/v5'], 'linux/arm/v5'],
    ['linux/arm/v6', ['linux/arm/v7'], undefined],
    ['linux/arm/v7', ['linux/arm'], 'linux/arm'],
    ['linux/arm64', ['linux/arm/v7', 'linux/arm/v6'], 'linux/arm/v7'],
    ['linux/amd64', ['linux/386'], 'linux/386'],
    ['linux/amd64', ['linux/386', 'linux/amd64'], 'linux/amd64'],
    ['linux/amd64/v3', ['linux/amd64', 'linux/amd64/v2', 'linux/amd64/v4'], 'linux/amd64/v2'],
    ['linux/amd64', ['linux/amd64/v2'], undefined],
    ['linux/s390x', ['linux/amd64'], undefined],
    ['linux/arm64/v9', ['linux/arm64/v8'], 'linux/arm64/v8'],
    [
      'windows(10.0.20348.1006)/amd64',
      ['windows(10.0.17763.1)/amd64', 'windows(10.0.20348.5)/amd64', 'windows(10.0.20348.9)/amd64'],
      'windows(10.0.20348.9)/amd64',
    ],
    ['windows/amd64', ['windows(10.0.17763.1)/amd64'], 'windows(10.0.17763.1)/amd64'],
  ] as const)('%s of %j → %s', ([wanted, offered, expected]) => {
    const index = { manifests: offered.map((platform, n) => entry(platform, n)) }
    const found = matchPlatform(index, parsePlatform(wanted, host))
    expect(found && formatPlatform(found.platform!)).toBe(expected)
  })

  it('takes an entry without platform only when nothing else fits', () => {
    const index = { manifests: [entry(undefined, 1), entry('linux/amd64', 2)] }
    expect(matchPlatform(index, host)).toBe(index.manifests[1])
    expect(matchPlatform(index, { os: 'linux', architecture: 's390x' })).toBe(index.manifests[0])
  })

  it('does not give an image that needs features to a platform without them', () => {
    const needs = { os: 'linux', architecture: 'amd64', 'os.features': ['x'] }
    expect(platformMatches(needs, host)).toBe(false)
    expect(platformMatches(needs, { ...host, 'os.features': ['x', 'y'] })).toBe(true)
  })
})
