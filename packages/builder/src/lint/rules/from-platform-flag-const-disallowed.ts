import type { Platform } from '@tsbuild/registry-client'
import type { Expansion } from '../../dockerfile/expand.ts'
import type { FromNode } from '../../instructions/nodes.ts'
import { quote } from '../../util/go-text.ts'
import { defineRule, type Reporter } from '../rule.ts'

export const fromPlatformFlagConstDisallowed = defineRule({
  name: 'FromPlatformFlagConstDisallowed',
  description: 'FROM --platform flag should not use a constant value',
  url: 'https://docs.docker.com/go/dockerfile/rule/from-platform-flag-const-disallowed/',
  message: (platform: string) => `FROM --platform flag should not use constant value ${quote(platform)}`,
  doc: {
    why:
      'A fixed platform makes the stage the same for all platforms that are built. Give the platform with --platform of ' +
      'the build, or use $BUILDPLATFORM for tools that run during the build. If it is meant, name the stage after the ' +
      'platform: that silences the rule.',
    bad: 'FROM --platform=linux/amd64 alpine AS base',
    good: 'FROM --platform=linux/amd64 alpine AS build_amd64\nFROM --platform=linux/arm64 alpine AS build_arm64\nFROM build_$TARGETARCH AS build',
  },
})

/** @param platform what the value means; undefined if it is no platform (an error of its own) */
export function checkConstantPlatform(
  reporter: Reporter,
  from: FromNode,
  expansion: Expansion,
  platform: Platform | undefined,
): void {
  if (expansion.used.size > 0 || expansion.unset.size > 0 || platform === undefined) return
  const name = from.stageName ?? ''
  if (name.includes(platform.os) || name.includes(platform.architecture)) return
  reporter.report(fromPlatformFlagConstDisallowed, [expansion.value], from.raw)
}
