// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of Dockerfiles
import { describe, expect, it } from 'vitest'
import { plainImage, type TestWorld } from '../stages/testing.ts'
import { type LintExample, lines, lintText } from './testing.ts'

const args = (values: Record<string, string>): Partial<TestWorld> => ({ buildArgs: new Map(Object.entries(values)) })
const casing = (line: number, keyword: string, casing: string): string =>
  `ConsistentInstructionCasing:${line}: Command '${keyword}' should match the case of the command majority (${casing})`

/** Rules about the file's text, its stages and FROM lines. */
const examples: Record<string, readonly LintExample[]> = {
  StageNameCasing: [
    {
      name: 'mixed case',
      text: 'FROM scratch AS Base',
      found: ["StageNameCasing:1: Stage name 'Base' should be lowercase"],
    },
    { name: 'lower case', text: 'FROM scratch AS base', found: [] },
  ],
  FromAsCasing: [
    {
      name: 'upper from, lower as',
      text: 'FROM scratch as a',
      found: ["FromAsCasing:1: 'as' and 'FROM' keywords' casing do not match"],
    },
    {
      name: 'lower from, upper as',
      text: 'from scratch AS a',
      found: ["FromAsCasing:1: 'AS' and 'from' keywords' casing do not match"],
    },
    {
      name: 'mixed as',
      text: 'FROM scratch As a',
      found: ["FromAsCasing:1: 'As' and 'FROM' keywords' casing do not match"],
    },
    {
      name: 'mixed from is for another rule',
      text: 'From scratch as a\nFROM a',
      found: [casing(1, 'From', 'uppercase')],
    },
  ],
  NoEmptyContinuation: [
    {
      name: 'shown at the last line',
      text: lines('FROM scratch', 'COPY a \\', '', '/', 'COPY b \\', '/'),
      found: ['NoEmptyContinuation:4: Empty continuation line'],
    },
    { name: 'a comment is none', text: lines('FROM scratch', 'COPY a \\', '# why', '/'), found: [] },
    {
      name: 'heredoc bodies do not count',
      text: lines('FROM scratch', 'COPY \\', '', '<<EOF /', '', 'EOF'),
      found: ['NoEmptyContinuation:4: Empty continuation line'],
    },
  ],
  ConsistentInstructionCasing: [
    {
      name: 'a tie means upper case',
      text: lines('FROM scratch', 'copy a /'),
      found: [casing(2, 'copy', 'uppercase')],
    },
    {
      name: 'lower majority',
      text: lines('FROM scratch', 'copy a /', 'copy b /'),
      found: [casing(1, 'FROM', 'lowercase')],
    },
    { name: 'ARG before FROM does not count', text: lines('arg A=1', 'FROM scratch'), found: [] },
    { name: 'mixed', text: lines('FROM scratch', 'Copy a /'), found: [casing(2, 'Copy', 'uppercase')] },
  ],
  DuplicateStageName: [
    {
      name: 'in any case',
      text: lines('FROM scratch AS b', 'FROM scratch AS B'),
      found: [
        "StageNameCasing:2: Stage name 'B' should be lowercase",
        'DuplicateStageName:2: Duplicate stage name "b", stage names should be unique',
      ],
    },
    { name: 'different', text: lines('FROM scratch AS b1', 'FROM scratch AS b2'), found: [] },
  ],
  ReservedStageName: [
    {
      name: 'both',
      text: lines('FROM scratch AS scratch', 'FROM scratch AS context'),
      found: [
        'ReservedStageName:1: Stage name should not use the same name as reserved stage "scratch"',
        'ReservedStageName:2: Stage name should not use the same name as reserved stage "context"',
      ],
    },
    { name: 'as base', text: lines('FROM scratch', 'FROM scratch AS a'), found: [] },
  ],
  MaintainerDeprecated: [
    {
      name: 'always',
      text: lines('FROM scratch', 'MAINTAINER me@example.org'),
      found: ['MaintainerDeprecated:2: Maintainer instruction is deprecated in favor of using label'],
    },
  ],
  UndefinedArgInFrom: [
    { name: 'declared', text: lines('ARG base=scratch', 'FROM $base'), found: [] },
    { name: 'declared without value', text: lines('ARG DEBUG', 'FROM scratch${DEBUG}'), found: [] },
    { name: 'predefined', text: 'FROM --platform=$BUILDPLATFORM scratch', found: [] },
    {
      name: 'misspelt, and then an error of its own',
      text: 'FROM --platform=$BULIDPLATFORM scratch\nMAINTAINER x',
      found: [
        'MaintainerDeprecated:2: Maintainer instruction is deprecated in favor of using label',
        "UndefinedArgInFrom:1: FROM argument 'BULIDPLATFORM' is not declared (did you mean BUILDPLATFORM?)",
      ],
    },
    {
      name: 'near a declared one',
      text: lines('ARG MY_ARCH=amd64', 'FROM --platform=linux/${MYARCH} busybox'),
      found: ["UndefinedArgInFrom:2: FROM argument 'MYARCH' is not declared (did you mean MY_ARCH?)"],
    },
    {
      name: 'in the name',
      text: lines('ARG tag=latest', 'FROM busybox:${tag}${version} AS b'),
      found: ["UndefinedArgInFrom:2: FROM argument 'version' is not declared"],
    },
  ],
  InvalidBaseImagePlatform: [
    {
      name: 'another architecture',
      text: 'FROM reg/arm-only',
      world: { resolveImage: async () => ({ ...plainImage, architecture: 'arm64', variant: 'v8' }) },
      found: [
        'InvalidBaseImagePlatform:1: Base image reg/arm-only was pulled with platform "linux/arm64", expected "linux/amd64" for current build',
      ],
    },
    { name: 'the same', text: 'FROM alpine', found: [] },
    {
      name: 'an image without layers fits everywhere',
      text: 'FROM reg/empty',
      world: {
        resolveImage: async () => ({ os: 'linux', architecture: 'arm64', rootfs: { type: 'layers', diff_ids: [] } }),
      },
      found: [],
    },
  ],
  RedundantTargetPlatform: [
    {
      name: 'plain',
      text: 'FROM --platform=$TARGETPLATFORM scratch',
      found: [
        'RedundantTargetPlatform:1: Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default behavior',
      ],
    },
    {
      name: 'with braces',
      text: 'FROM --platform=${TARGETPLATFORM} scratch',
      found: [
        'RedundantTargetPlatform:1: Setting platform to predefined ${TARGETPLATFORM} in FROM is redundant as this is the default behavior',
      ],
    },
    {
      name: 'as a default',
      text: lines('ARG P=linux/arm64', 'FROM --platform=${P:-$TARGETPLATFORM} scratch'),
      found: [],
    },
  ],
  InvalidDefaultArgInFrom: [
    {
      name: 'empty tag',
      text: lines('ARG VERSION', 'FROM busybox:$VERSION'),
      world: args({ VERSION: 'latest' }),
      found: [
        'InvalidDefaultArgInFrom:2: Default value for ARG busybox:$VERSION results in empty or invalid base image name',
      ],
    },
    {
      name: 'empty name',
      text: lines('ARG IMAGE', 'FROM $IMAGE'),
      world: args({ IMAGE: 'busybox' }),
      found: ['InvalidDefaultArgInFrom:2: Default value for ARG $IMAGE results in empty or invalid base image name'],
    },
    {
      name: 'invalid default',
      text: lines('ARG SFX="box:"', 'FROM busy${SFX}'),
      world: args({ SFX: 'box:latest' }),
      found: [
        'InvalidDefaultArgInFrom:2: Default value for ARG busy${SFX} results in empty or invalid base image name',
      ],
    },
    {
      name: 'good default',
      text: lines('ARG VERSION=latest', 'FROM busybox:$VERSION'),
      world: args({ VERSION: '1' }),
      found: [],
    },
    {
      name: 'may be empty',
      text: lines('ARG VARIANT', 'FROM busybox:stable$VARIANT'),
      world: args({ VARIANT: '-musl' }),
      found: [],
    },
  ],
  FromPlatformFlagConstDisallowed: [
    {
      name: 'constant',
      text: 'FROM --platform=linux/amd64 scratch',
      found: ['FromPlatformFlagConstDisallowed:1: FROM --platform flag should not use constant value "linux/amd64"'],
    },
    { name: 'the architecture in the name', text: 'FROM --platform=linux/amd64 scratch AS my_amd64_stage', found: [] },
    { name: 'the os in the name', text: 'FROM --platform=linux/amd64 scratch AS linux', found: [] },
    { name: 'a variable', text: lines('ARG P=linux/amd64', 'FROM --platform=$P scratch'), found: [] },
  ],
  InvalidDefinitionDescription: [
    {
      name: 'stages and arguments',
      text: lines(
        '# check=experimental=InvalidDefinitionDescription',
        '# a stage',
        'FROM scratch AS base',
        '# the version',
        'ARG a=1',
        '# both',
        'ARG b=1 c=2',
      ),
      found: [
        'InvalidDefinitionDescription:3: Comment for FROM should follow the format: `# base <description>`',
        'InvalidDefinitionDescription:5: Comment for ARG should follow the format: `# a <description>`',
        'InvalidDefinitionDescription:7: Comment for ARG should follow the format: `# <arg_key> <description>`',
      ],
    },
    { name: 'off by default', text: lines('# a stage', 'FROM scratch AS base'), found: [] },
    {
      name: 'good',
      text: lines('# check=experimental=all', '# base is a stage', 'FROM scratch AS base', '# why', '#', 'ARG a=1'),
      found: [],
    },
    {
      name: 'options are no description',
      text: lines(
        '# check=experimental=all',
        '# base is a stage',
        '# check=skip=StageNameCasing',
        'FROM scratch AS base',
      ),
      found: [],
    },
  ],
}

for (const [rule, list] of Object.entries(examples)) {
  describe(rule, () => {
    it.each(list)('$name', async ({ text, world, found }) => {
      expect((await lintText(text, world)).found).toEqual(found)
    })
  })
}
