import { defineError } from '../errors.ts'

const quoted = (name: string): string => JSON.stringify(name)

/** Errors of planning: instructions that cannot be done, and values that expansion gave. */
export const planErrors = {
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
