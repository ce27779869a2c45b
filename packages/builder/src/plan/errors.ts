import { defineError } from '../errors.ts'

const quoted = (name: string): string => JSON.stringify(name)
const maybe = (suggestion: string | undefined): string => (suggestion ? ` (did you mean ${suggestion}?)` : '')

/** Errors of planning: stages, targets, base images and values that expansion gave. */
export const planErrors = {
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
  laterStage: defineError({
    code: 'STAGE_DEFINED_LATER',
    doc: 'Files can only be taken from stages that stand earlier in the file.',
    message: (from: string, stage: string) =>
      `cannot copy from stage ${quoted(from)}, it needs to be defined before current stage ${quoted(stage)}`,
    hint: 'move the stage that provides the files above the one that uses them',
  }),
  laterStageMounted: defineError({
    code: 'STAGE_MOUNTED_EARLY',
    doc: 'Only stages that stand earlier in the file can be mounted.',
    message: (from: string, target: string) =>
      `cannot mount from stage ${quoted(from)} to ${quoted(target)}, stage needs to be defined before current command`,
    hint: 'move the stage that provides the files above the one that uses them',
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
  epochInvalid: defineError({
    code: 'SOURCE_DATE_EPOCH_INVALID',
    doc: 'SOURCE_DATE_EPOCH is neither a number of seconds nor `context` nor the name of a stage or context.',
    message: (value: string) => `invalid SOURCE_DATE_EPOCH: ${value}`,
  }),
  badSignal: defineError({
    code: 'SIGNAL_INVALID',
    doc: 'STOPSIGNAL takes a signal name such as SIGTERM or a number.',
    message: (signal: string) => `invalid signal: ${signal}`,
  }),
  badPath: defineError({
    code: 'PATH_INVALID',
    doc: 'A path of a Windows image names another drive than C:, a drive without a path, or a share.',
    message: (problem: string) => problem,
  }),
  badPort: defineError({
    code: 'PORT_INVALID',
    doc: 'EXPOSE takes PORT[-PORT][/tcp|udp|sctp].',
    message: (problem: string) => problem,
    hint: 'EXPOSE takes a port or a range, and a protocol: 80, 8000-8010, 53/udp',
  }),
  remoteInCopy: defineError({
    code: 'COPY_REMOTE',
    doc: 'COPY takes no URLs; ADD does.',
    message: (what: 'URL' | 'git ref') => `source can't be a ${what} for COPY`,
    hint: 'use ADD',
  }),
  checksumUse: defineError({
    code: 'CHECKSUM_USE',
    doc: 'ADD --checksum needs exactly one http(s) or git source.',
    message: (problem: string) => problem,
  }),
  notAllowed: defineError({
    code: 'ENTITLEMENT',
    doc: 'The Dockerfile asks for a privilege that was not allowed on the command line.',
    message: (entitlement: string) => `granting entitlement ${entitlement} is not allowed by build options`,
    hint: (entitlement: string) => `pass --allow ${entitlement} if you trust this Dockerfile`,
  }),
  deviceMissing: defineError({
    code: 'DEVICE_MISSING',
    doc: 'RUN --device asks for a device as `required`; tsbuild gives commands no devices.',
    message: (name: string) => `required device ${name} is not available`,
    hint: 'leave out required if the command works without the device',
  }),
}
