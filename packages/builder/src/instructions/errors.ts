/** Errors of instructions: arguments and flags that a keyword does not take. Words as in the reference. */

import { defineError } from '../errors.ts'
import { quote } from '../util/go-text.ts'
import { didYouMean } from '../util/suggest.ts'

/** Every error of this folder. */
export const instructionErrors = {
  unknownInstruction: defineError({
    code: 'INSTRUCTION_UNKNOWN',
    doc: 'A line begins with a word that is no Dockerfile instruction; often a continuation character is missing on the line above.',
    message: (keyword: string, known: readonly string[]) =>
      `unknown instruction: ${keyword}${didYouMean(keyword, known, true)}`,
    hint: (_keyword, known) => `Instructions are ${known.join(', ')}.`,
  }),
  noStage: defineError({
    code: 'INSTRUCTION_BEFORE_FROM',
    doc: 'An instruction other than ARG stands before the first FROM.',
    message: (_keyword: string) => 'no build stage in current context',
    hint: (keyword) => `Put a FROM above ${keyword}; only ARG may stand before it.`,
  }),
  atLeastOneArgument: defineError({
    code: 'INSTRUCTION_ARGUMENT_MISSING',
    doc: 'An instruction that needs arguments has none.',
    message: (keyword: string) => `${keyword} requires at least one argument`,
  }),
  exactlyOneArgument: defineError({
    code: 'INSTRUCTION_ONE_ARGUMENT',
    doc: 'An instruction that takes one argument has none.',
    message: (keyword: string) => `${keyword} requires exactly one argument`,
  }),
  noDestination: defineError({
    code: 'INSTRUCTION_NO_DESTINATION',
    doc: 'COPY or ADD has fewer than two arguments, so there is no destination.',
    message: (keyword: string) =>
      `${keyword} requires at least two arguments, but only one was provided. Destination could not be determined`,
    hint: (keyword) => `Write ${keyword} <source> <destination>.`,
  }),
  blankName: defineError({
    code: 'INSTRUCTION_BLANK_NAME',
    doc: 'ENV, LABEL or ARG has an empty name before `=`.',
    message: (keyword: string) => `${keyword} names can not be blank`,
  }),
  heredocDestination: defineError({
    code: 'INSTRUCTION_HEREDOC_DESTINATION',
    doc: 'The destination of COPY or ADD is a heredoc.',
    message: (keyword: string) => `${keyword} cannot accept a heredoc as a destination`,
    hint: 'Put the destination behind the heredoc: COPY <<EOF /path.',
  }),
  unknownFlag: defineError({
    code: 'FLAG_UNKNOWN',
    doc: 'An instruction has a flag that it does not know.',
    message: (name: string, known: readonly string[]) => `unknown flag: --${name}${didYouMean(name, known)}`,
    hint: (_name, known) =>
      known.length === 0
        ? 'This instruction takes no flags.'
        : `Flags of this instruction are ${known.map((flag) => `--${flag}`).join(', ')}.`,
  }),
  duplicateFlag: defineError({
    code: 'FLAG_DUPLICATE',
    doc: 'A flag that may be given once is given twice.',
    message: (name: string) => `duplicate flag specified: --${name}`,
  }),
  flagWithoutValue: defineError({
    code: 'FLAG_WITHOUT_VALUE',
    doc: 'A flag that needs a value has none; the value follows `=` without blanks.',
    message: (name: string) => `missing a value on flag: --${name}`,
    hint: (name) => `Write --${name}=value.`,
  }),
  notBoolean: defineError({
    code: 'FLAG_NOT_BOOLEAN',
    doc: 'A flag that is true or false has another value.',
    message: (name: string, value: string) => `expecting boolean value for flag --${name}, not: ${value}`,
  }),
  fromArguments: defineError({
    code: 'FROM_ARGUMENTS',
    doc: 'FROM has another form than `FROM image` or `FROM image AS name`.',
    message: () => 'FROM requires either one or three arguments',
    hint: 'Write FROM <image>, or FROM <image> AS <name>.',
  }),
  stageName: defineError({
    code: 'FROM_STAGE_NAME',
    doc: 'The name of a stage begins with something else than a letter or holds other characters than letters, digits, `-`, `_` and `.`.',
    message: (name: string) =>
      `invalid name for build stage: ${quote(name)}, name can't start with a number or contain symbols`,
  }),
  copyFromVariable: defineError({
    code: 'COPY_FROM_VARIABLE',
    doc: 'The value of `COPY --from` holds a variable; it is needed before variables have values.',
    message: () =>
      'variable expansion is not supported for --from, define a new stage with FROM using ARG from global scope as a workaround',
  }),
  onbuildChained: defineError({
    code: 'ONBUILD_CHAINED',
    doc: 'The trigger of an ONBUILD is itself an ONBUILD.',
    message: () => "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed",
  }),
  onbuildTrigger: defineError({
    code: 'ONBUILD_TRIGGER',
    doc: 'FROM and MAINTAINER cannot be triggers of ONBUILD.',
    message: (keyword: string) => `${keyword} isn't allowed as an ONBUILD trigger`,
  }),
  triggerNotSingle: defineError({
    code: 'ONBUILD_NOT_SINGLE',
    doc: 'An ONBUILD trigger in the config of a base image is not exactly one instruction.',
    message: () => 'onbuild trigger should be a single expression',
  }),
  emptyVolume: defineError({
    code: 'VOLUME_EMPTY',
    doc: 'A path of VOLUME is empty.',
    message: () => 'VOLUME specified can not be an empty string',
  }),
  shellNotJson: defineError({
    code: 'SHELL_NOT_JSON',
    doc: 'The arguments of SHELL are not a JSON array of strings.',
    message: (keyword: string) => `${keyword} requires the arguments to be in JSON form`,
    hint: 'Write SHELL ["executable", "parameter"], with double quotes.',
  }),
  healthcheckNone: defineError({
    code: 'HEALTHCHECK_NONE',
    doc: 'HEALTHCHECK NONE has arguments.',
    message: () => 'HEALTHCHECK NONE takes no arguments',
  }),
  healthcheckNoCommand: defineError({
    code: 'HEALTHCHECK_NO_COMMAND',
    doc: 'HEALTHCHECK CMD has no command.',
    message: () => 'Missing command after HEALTHCHECK CMD',
  }),
  healthcheckType: defineError({
    code: 'HEALTHCHECK_TYPE',
    doc: 'The first argument of HEALTHCHECK is neither CMD nor NONE.',
    message: (type: string) => `Unknown type ${quote(type)} in HEALTHCHECK (try CMD)`,
    hint: 'Write HEALTHCHECK CMD <command>, with its options before CMD.',
  }),
  healthcheckTooShort: defineError({
    code: 'HEALTHCHECK_TOO_SHORT',
    doc: 'A duration of HEALTHCHECK is less than a millisecond but not 0.',
    message: (flag: string) => `Interval ${quote(flag)} cannot be less than 1ms`,
  }),
  healthcheckRetries: defineError({
    code: 'HEALTHCHECK_RETRIES',
    doc: 'The value of `HEALTHCHECK --retries` is no number of 0 or more.',
    message: (problem: string) => problem,
  }),
  duration: defineError({
    code: 'DURATION_INVALID',
    doc: 'A duration is not a number with a unit such as `30s`, `1m30s` or `500ms`.',
    message: (problem: string) => problem,
    hint: 'Units are h, m, s, ms, us and ns.',
  }),
  network: defineError({
    code: 'RUN_NETWORK',
    doc: 'The value of `RUN --network` is none of default, none, host.',
    message: (mode: string) => `invalid network mode ${quote(mode)}${didYouMean(mode, ['default', 'none', 'host'])}`,
    hint: 'Modes are default, none and host.',
  }),
  security: defineError({
    code: 'RUN_SECURITY',
    doc: 'The value of `RUN --security` is neither sandbox nor insecure.',
    message: (mode: string) => `security ${quote(mode)} is not valid${didYouMean(mode, ['sandbox', 'insecure'])}`,
    hint: 'Modes are sandbox and insecure.',
  }),
  csv: defineError({
    code: 'FLAG_CSV',
    doc: 'The value of `--mount` or `--device` is no comma separated list: a quote is misplaced or not closed.',
    message: (what: string, problem: string) => `failed to parse csv ${what}: ${problem}`,
  }),
  fieldForm: defineError({
    code: 'FIELD_FORM',
    doc: 'A field of `--mount` or `--device` has no `=` where it needs a value.',
    message: (field: string) => `invalid field '${field}' must be a key=value pair`,
  }),
  fieldUnknown: defineError({
    code: 'FIELD_UNKNOWN',
    doc: 'A field of `--mount` or `--device` has a key that does not exist.',
    message: (key: string, field: string, known: readonly string[]) =>
      `unexpected key '${key}' in '${field}'${didYouMean(key, known)}`,
    hint: (_key, _field, known) => `Keys are ${known.join(', ')}.`,
  }),
  fieldValue: defineError({
    code: 'FIELD_VALUE',
    doc: 'A field of `--mount` or `--device` has a value of the wrong kind.',
    message: (problem: string) => problem,
  }),
  fieldForType: defineError({
    code: 'MOUNT_FIELD_FOR_TYPE',
    doc: 'A field of `--mount` does not belong to the type of the mount; `type=` has to stand before it.',
    message: (problem: string) => problem,
  }),
  mountType: defineError({
    code: 'MOUNT_TYPE',
    doc: 'The type of a mount is none of bind, cache, tmpfs, secret, ssh.',
    message: (type: string, known: readonly string[]) =>
      `unsupported mount type ${quote(type)}${didYouMean(type, known)}`,
    hint: (_type, known) => `Types are ${known.join(', ')}.`,
  }),
  mountSharing: defineError({
    code: 'MOUNT_SHARING',
    doc: 'The sharing mode of a cache mount is none of shared, private, locked.',
    message: (mode: string, known: readonly string[]) =>
      `unsupported sharing value ${quote(mode)}${didYouMean(mode, known)}`,
    hint: (_mode, known) => `Modes are ${known.join(', ')}.`,
  }),
  mountFromVariable: defineError({
    code: 'MOUNT_FROM_VARIABLE',
    doc: 'The `from` of a mount holds a variable; it is needed before variables have values.',
    message: () => "'from' doesn't support variable expansion, define alias stage instead",
    hint: 'Write FROM $IMAGE AS name, with an ARG above the first FROM, and use from=name.',
  }),
  mountTarget: defineError({
    code: 'MOUNT_TARGET',
    doc: 'A mount has no target, or its target is the root directory.',
    message: (target: string) => `invalid mount target ${quote(target)}`,
    hint: 'Set target= to a directory or file below /.',
  }),
}
