// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of Dockerfiles
import { describe, expect, it } from 'vitest'
import { parseIgnore } from '../util/ignore.ts'
import type { LintWorld } from './facts.ts'
import { lintText, plainImage } from './testing.ts'

interface Example {
  readonly name: string
  readonly text: string
  readonly world?: Partial<LintWorld>
  /** Findings as `Rule:line: message`. */
  readonly found: readonly string[]
}

const args = (values: Record<string, string>): Partial<LintWorld> => ({ buildArgs: new Map(Object.entries(values)) })
const lines = (...list: readonly string[]): string => `${list.join('\n')}\n`
const casing = (line: number, keyword: string, casing: string): string =>
  `ConsistentInstructionCasing:${line}: Command '${keyword}' should match the case of the command majority (${casing})`

const examples: Record<string, readonly Example[]> = {
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
  JSONArgsRecommended: [
    {
      name: 'CMD',
      text: lines('FROM scratch', 'CMD run it'),
      found: [
        'JSONArgsRecommended:2: JSON arguments recommended for CMD to prevent unintended behavior related to OS signals',
      ],
    },
    {
      name: 'the keyword as written',
      text: lines('from scratch', 'entrypoint run it'),
      found: [
        'JSONArgsRecommended:2: JSON arguments recommended for entrypoint to prevent unintended behavior related to OS signals',
      ],
    },
    { name: 'JSON', text: lines('FROM scratch', 'CMD ["run"]'), found: [] },
    { name: 'own SHELL', text: lines('FROM scratch', 'SHELL ["/bin/sh"]', 'CMD run it'), found: [] },
    {
      name: 'SHELL of a base stage',
      text: lines('FROM scratch AS a', 'SHELL ["/bin/sh"]', 'FROM a', 'CMD run it'),
      found: [],
    },
    {
      name: 'SHELL of the image',
      text: lines('FROM alpine', 'CMD run it'),
      world: { resolveImage: async () => ({ ...plainImage, config: { Shell: ['/bin/bash', '-c'] } }) },
      found: [],
    },
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
  WorkdirRelativePath: [
    {
      name: 'the first one',
      text: lines('FROM scratch', 'WORKDIR app/', 'WORKDIR sub'),
      found: ['WorkdirRelativePath:2: Relative workdir "app/" can have unexpected results if the base image changes'],
    },
    {
      name: 'after an absolute one of the base stage',
      text: lines('FROM scratch AS a', 'WORKDIR /app', 'FROM a', 'WORKDIR sub'),
      found: [],
    },
    { name: 'from a variable', text: lines('FROM scratch', 'ENV D=/app', 'WORKDIR $D'), found: [] },
    {
      name: 'a drive letter is absolute on Windows only',
      text: lines('FROM scratch', 'WORKDIR C:\\\\app'),
      world: { platform: { os: 'windows', architecture: 'amd64' } },
      found: [],
    },
  ],
  UndefinedVar: [
    { name: 'ARG without value', text: lines('FROM scratch', 'ARG foo', 'COPY Dockerfile${foo} .'), found: [] },
    {
      name: 'inherited from a stage',
      text: lines('FROM alpine AS base', 'ARG foo=Dockerfile', 'FROM base', 'COPY $foo .'),
      found: [],
    },
    {
      name: 'before its ARG',
      text: lines('FROM alpine', 'COPY $foo .', 'ARG foo=bar', 'RUN echo $foo'),
      found: ["UndefinedVar:2: Usage of undefined variable '$foo'"],
    },
    {
      name: 'suggestion from the stage',
      text: lines('FROM alpine', 'ARG DIR_ASSETS=assets/', 'ARG DIR_CONFIG=config/', 'COPY $DIR_ASSET .'),
      found: ["UndefinedVar:4: Usage of undefined variable '$DIR_ASSET' (did you mean $DIR_ASSETS?)"],
    },
    {
      name: 'suggestion from the image',
      text: lines('FROM alpine', 'ENV PATH=$PAHT:/tmp/bin'),
      found: ["UndefinedVar:2: Usage of undefined variable '$PAHT' (did you mean $PATH?)"],
    },
    { name: 'PATH is always there', text: lines('FROM scratch', 'ENV PATH=$PATH:/tmp/bin'), found: [] },
    {
      name: 'defined by the image',
      text: lines('FROM alpine', 'COPY $SRC .'),
      world: { resolveImage: async () => ({ ...plainImage, config: { Env: ['SRC=a'] } }) },
      found: [],
    },
    {
      name: 'not known what the image defines',
      text: lines('FROM alpine', 'COPY $SRC .'),
      world: { resolveImage: async () => undefined },
      found: [],
    },
    { name: 'the shell of RUN', text: lines('FROM alpine', 'RUN echo $anything'), found: [] },
    {
      name: 'mount options',
      text: lines('FROM alpine', 'RUN --mount=type=cache,target=/$where true'),
      found: ["UndefinedVar:2: Usage of undefined variable '$where'"],
    },
    {
      name: 'heredocs, unless quoted',
      text: lines('FROM scratch', 'COPY <<EOF <<"END" /', '$one', 'EOF', '$two', 'END'),
      found: ["UndefinedVar:2: Usage of undefined variable '$one'"],
    },
    {
      name: 'a global ARG counts after it is declared again',
      text: lines('ARG A=1', 'FROM scratch', 'COPY $A /', 'ARG A', 'COPY $A /'),
      found: ["UndefinedVar:3: Usage of undefined variable '$A'"],
    },
    { name: 'EXPOSE is not looked at, as in the reference', text: lines('FROM scratch', 'EXPOSE 80$none'), found: [] },
  ],
  MultipleInstructionsDisallowed: [
    {
      name: 'shows the one that is replaced',
      text: lines('FROM scratch', 'CMD ["a"]', 'HEALTHCHECK NONE', 'CMD ["b"]', 'HEALTHCHECK CMD x'),
      found: [
        'MultipleInstructionsDisallowed:2: Multiple CMD instructions should not be used in the same stage because only the last one will be used',
        'MultipleInstructionsDisallowed:3: Multiple HEALTHCHECK instructions should not be used in the same stage because only the last one will be used',
      ],
    },
    { name: 'a stage of its own', text: lines('FROM scratch AS a', 'CMD ["a"]', 'FROM a', 'CMD ["b"]'), found: [] },
  ],
  LegacyKeyValueFormat: [
    {
      name: 'ENV and LABEL',
      text: lines('FROM scratch', 'ENV testkey value', 'LABEL key value'),
      found: [
        'LegacyKeyValueFormat:2: "ENV key=value" should be used instead of legacy "ENV key value" format',
        'LegacyKeyValueFormat:3: "LABEL key=value" should be used instead of legacy "LABEL key value" format',
      ],
    },
    { name: 'with =', text: lines('FROM scratch', 'ENV testkey=value', 'LABEL key=value'), found: [] },
    {
      name: 'in stages that are not needed: a check without target only',
      text: lines('FROM scratch AS a', 'FROM a AS b', 'ENV testkey value', 'FROM a AS c'),
      world: { allStages: false },
      found: [],
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
      world: { resolveImage: async () => ({ os: 'linux', architecture: 'arm64', rootfs: { diff_ids: [] } }) },
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
  SecretsUsedInArgOrEnv: [
    {
      name: 'words of the name',
      text: lines('FROM scratch', 'ARG SECRET_PASSPHRASE', 'ENV password=bar sunflower=foo', 'ARG auth=x'),
      found: [
        'SecretsUsedInArgOrEnv:2: Do not use ARG or ENV instructions for sensitive data (ARG "SECRET_PASSPHRASE")',
        'SecretsUsedInArgOrEnv:3: Do not use ARG or ENV instructions for sensitive data (ENV "password")',
        'SecretsUsedInArgOrEnv:4: Do not use ARG or ENV instructions for sensitive data (ARG "auth")',
      ],
    },
    {
      name: 'harmless ones',
      text: lines(
        'FROM scratch',
        'ENV PUBLIC_KEY= AUTHOR=me KEYBOARD=us',
        'ARG PASSWORD_FILE',
        'ARG AUTH_MODULE_VERSION',
      ),
      found: [],
    },
    {
      name: 'global ARGs are not looked at, as in the reference',
      text: lines('ARG TOKEN=x', 'FROM scratch'),
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
  CopyIgnoredFile: [
    {
      name: 'COPY and ADD',
      text: lines('FROM scratch', 'COPY Dockerfile .', 'ADD ./Dockerfile /windy'),
      world: { ignored: parseIgnore('Dockerfile\n') },
      found: [
        'CopyIgnoredFile:2: Attempting to Copy file "Dockerfile" that is excluded by .dockerignore',
        'CopyIgnoredFile:3: Attempting to Add file "Dockerfile" that is excluded by .dockerignore',
      ],
    },
    {
      name: 'from a stage',
      text: lines('FROM scratch AS b', 'FROM scratch', 'COPY --from=b /Dockerfile /'),
      world: { ignored: parseIgnore('Dockerfile') },
      found: [],
    },
    {
      name: 'remote',
      text: lines('FROM scratch', 'ADD https://x.example/a git@x.example:a/b.git /'),
      world: { ignored: parseIgnore('**') },
      found: [],
    },
    {
      name: 'the context',
      text: lines('FROM scratch', 'COPY . /'),
      world: { ignored: parseIgnore('*\n!a') },
      found: [],
    },
    {
      name: 'the empty context',
      text: lines('FROM scratch', 'COPY . /'),
      world: { ignored: parseIgnore('*') },
      found: ['CopyIgnoredFile:2: Attempting to Copy file "." that is excluded by .dockerignore'],
    },
    {
      name: 're-included below',
      text: lines('FROM scratch', 'COPY dir /'),
      world: { ignored: parseIgnore('dir\n!dir/keep') },
      found: [],
    },
    {
      name: 're-included by a wildcard',
      text: lines('FROM scratch', 'COPY dir /'),
      world: { ignored: parseIgnore('dir\n!*/keep') },
      found: [],
    },
    {
      name: 're-included elsewhere',
      text: lines('FROM scratch', 'COPY dir /'),
      world: { ignored: parseIgnore('dir\n!other/keep') },
      found: ['CopyIgnoredFile:2: Attempting to Copy file "dir" that is excluded by .dockerignore'],
    },
    { name: 'no ignore file', text: lines('FROM scratch', 'COPY Dockerfile .'), found: [] },
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
  ExposeProtoCasing: [
    {
      name: 'sorted as the reference sorts them',
      text: lines('FROM scratch', 'EXPOSE 80/TcP 8080/TCP 8080/udp'),
      found: [
        "ExposeProtoCasing:2: Defined protocol '80/TcP' in EXPOSE instruction should be lowercase",
        "ExposeProtoCasing:2: Defined protocol '8080/TCP' in EXPOSE instruction should be lowercase",
      ],
    },
  ],
  ExposeInvalidFormat: [
    {
      name: 'address and host port',
      text: lines('FROM scratch', 'EXPOSE 127.0.0.1:80:80 [::1]:8080:8080/TCP 5000:5000 8000'),
      found: [
        "ExposeInvalidFormat:2: EXPOSE instruction should not define an IP address or host-port mapping, found '127.0.0.1:80:80'",
        "ExposeInvalidFormat:2: EXPOSE instruction should not define an IP address or host-port mapping, found '5000:5000'",
        "ExposeProtoCasing:2: Defined protocol '[::1]:8080:8080/TCP' in EXPOSE instruction should be lowercase",
        "ExposeInvalidFormat:2: EXPOSE instruction should not define an IP address or host-port mapping, found '[::1]:8080:8080/TCP'",
      ],
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
