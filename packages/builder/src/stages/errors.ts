import { defineError } from '../errors.ts'

const quoted = (name: string): string => JSON.stringify(name)
const maybe = (suggestion: string | undefined): string => (suggestion ? ` (did you mean ${suggestion}?)` : '')

/** Errors of stages: their base images and platforms, the target, how they need each other. */
export const stageErrors = {
  targetNotFound: defineError({
    code: 'TARGET_NOT_FOUND',
    doc: 'The stage that `--target` names is not in the Dockerfile.',
    message: (target: string, suggestion: string | undefined) =>
      `target stage ${quoted(target)} could not be found${maybe(suggestion)}`,
    hint: 'use the name of a stage, the word after AS in a FROM line',
  }),
  blankBase: defineError({
    code: 'BASE_NAME_BLANK',
    doc: 'The image name of a FROM line is empty once its variables are replaced.',
    message: (expression: string) => `base name (${expression}) should not be blank`,
    hint: 'give the ARG before the first FROM a default value, or pass it with --build-arg',
  }),
  epochStage: defineError({
    code: 'SOURCE_DATE_EPOCH_STAGE',
    doc: 'SOURCE_DATE_EPOCH names a stage that is more, or less, than FROM scratch with one ADD of a URL or git repository.',
    message: (problem: string) => problem,
  }),
  epochInvalid: defineError({
    code: 'SOURCE_DATE_EPOCH_INVALID',
    doc: 'SOURCE_DATE_EPOCH is neither a number of seconds nor `context` nor the name of a stage or context.',
    message: (value: string) => `invalid SOURCE_DATE_EPOCH: ${value}`,
  }),
  emptyPlatform: defineError({
    code: 'PLATFORM_EMPTY',
    doc: 'The value of `FROM --platform` is empty once its variables are replaced.',
    message: (expression: string, suggestion: string | undefined) =>
      `empty platform value from expression ${expression}${maybe(suggestion)}`,
  }),
  badPlatform: defineError({
    code: 'PLATFORM_INVALID',
    doc: 'A platform is not of the form os/architecture[/variant].',
    message: (expression: string, problem: string, suggestion: string | undefined) =>
      `failed to parse platform ${expression}: ${problem}${maybe(suggestion)}`,
    hint: 'platforms look like linux/amd64, linux/arm64 or linux/arm/v7',
  }),
  stageIndex: defineError({
    code: 'STAGE_INDEX_INVALID',
    doc: 'A number after `--from=` is not the number of a stage; the first stage has number 0.',
    message: (index: number) => `invalid stage index ${index}`,
  }),
  circular: defineError({
    code: 'STAGE_CIRCULAR',
    doc: 'Stages take files from each other in a circle, or a stage takes files from itself.',
    message: (stage: string) => `circular dependency detected on stage: ${stage}`,
  }),
  noStages: defineError({
    code: 'NO_STAGES',
    doc: 'The Dockerfile has no FROM instruction.',
    message: () => 'dockerfile contains no stages to build',
    hint: 'begin the Dockerfile with FROM, for instance `FROM scratch`',
  }),
}
