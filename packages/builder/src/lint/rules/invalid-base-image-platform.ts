import { formatPlatform, normalizePlatform, type Platform } from '@tsbuild/registry-client'
import type { RawInstruction } from '../../dockerfile/ast.ts'
import { quote } from '../../util/go-text.ts'
import { defineRule, type Reporter } from '../rule.ts'

export const invalidBaseImagePlatform = defineRule({
  name: 'InvalidBaseImagePlatform',
  description: 'Base image platform does not match expected target platform',
  message: (image: string, expected: string, actual: string) =>
    `Base image ${image} was pulled with platform ${quote(actual)}, expected ${quote(expected)} for current build`,
  doc: {
    why:
      'The base image exists for one platform only and that is not the one that is built for: its programs do not run ' +
      'there. Choose an image that has the platform, or build with `--platform` of the image.',
    bad: 'FROM --platform=linux/amd64 example.com/only-for-arm64',
    good: 'FROM --platform=linux/arm64 example.com/only-for-arm64',
  },
})

/**
 * @param image the name as it stands in the FROM line, expanded
 * @param actual platform in the image's config
 */
export function checkBaseImagePlatform(
  reporter: Reporter,
  from: RawInstruction,
  image: string,
  expected: Platform,
  actual: Platform,
): void {
  if (expected.os === actual.os && expected.architecture === actual.architecture) return
  const text = (platform: Platform): string => formatPlatform(normalizePlatform(platform))
  reporter.report(invalidBaseImagePlatform, [image, text(expected), text(actual)], from)
}
