/** Build flags: what is shown, checks in place of a build, and flags of docker that mean something else here. */
import { UsageError } from '../../usage-error.ts'
import { parseCall } from './call.ts'
import { PROGRESS_MODES } from './draft.ts'
import { limitNotices, resource } from './limits.ts'
import type { BuildFlag } from './row.ts'

export const DISPLAY_FLAGS: readonly BuildFlag[] = [
  {
    name: 'progress',
    type: 'string',
    value: 'STYLE',
    choices: PROGRESS_MODES,
    help: 'How progress is shown: auto, plain, tty, quiet (only errors), none (only what the build came to, and errors) or rawjson (default $BUILDKIT_PROGRESS, else auto)',
    set: (draft, value) => {
      draft.progress = PROGRESS_MODES.find((mode) => mode === value)
    },
  },
  {
    name: 'explain',
    type: 'boolean',
    help: 'Say of each step that runs why it was not in the cache',
    set: (draft, value) => {
      draft.options.explain = value
    },
  },
  {
    name: 'quiet',
    alias: 'q',
    type: 'boolean',
    help: "Show no progress; print the image's id on stdout",
    set: (draft, value) => {
      draft.quiet = value
    },
  },
]

export const CALL_FLAGS: readonly BuildFlag[] = [
  {
    name: 'call',
    type: 'string',
    value: 'METHOD[,format=FORMAT]',
    help: 'Do not build: check the Dockerfile, or print its outline or targets (format text or json; check also sarif)',
    set: (draft, value) => {
      draft.call = value === '' ? undefined : parseCall(value)
    },
  },
  {
    name: 'check',
    type: 'boolean',
    help: 'Shorthand of --call=check',
    set: (draft, value) => {
      draft.check = value
    },
  },
  {
    name: 'fix',
    type: 'boolean',
    help: 'With --check: rewrite what can be fixed safely, and show the difference',
    set: (draft, value) => {
      draft.fix = value
    },
  },
]

/** Flags of older docker versions whose meaning `--resource` has now. */
const OLD_LIMITS = [
  { name: 'memory', alias: 'm' },
  { name: 'memory-swap' },
  { name: 'cpu-shares', alias: 'c' },
  { name: 'cpu-period' },
  { name: 'cpu-quota' },
  { name: 'cpuset-cpus' },
  { name: 'cpuset-mems' },
].map(
  ({ name, alias }): BuildFlag => ({
    name,
    ...(alias ? { alias } : {}),
    type: 'string',
    value: 'VALUE',
    hidden: true,
    help: `Shorthand of --resource ${name}=VALUE`,
    set: (draft, value) => {
      const limit = resource(name, value, name)
      draft.notices.push(...limitNotices(name, limit))
      draft.options.resources = { ...draft.options.resources, ...limit }
    },
  }),
)

/** Accepted, because scripts written for docker pass them, and said to have no effect. */
const WITHOUT_EFFECT = ['compress', 'rm', 'force-rm', 'disable-content-trust'].map(
  (name): BuildFlag => ({
    name,
    type: 'boolean',
    hidden: true,
    help: 'No effect, accepted for scripts written for docker',
    set: (draft) => {
      draft.notices.push(`--${name} has no effect`)
    },
  }),
)

export const COMPATIBILITY_FLAGS: readonly BuildFlag[] = [
  ...OLD_LIMITS,
  ...WITHOUT_EFFECT,
  {
    name: 'builder',
    type: 'string',
    value: 'NAME',
    hidden: true,
    help: 'No effect: there are no builder instances',
    set: (draft) => {
      draft.notices.push('--builder has no effect: there are no builder instances, the build runs in this process')
    },
  },
  {
    name: 'squash',
    type: 'boolean',
    hidden: true,
    help: 'Not supported',
    set: (_draft, value) => {
      if (value)
        throw new UsageError('--squash is not supported', 'copy the result into a last stage FROM scratch instead')
    },
  },
  {
    name: 'security-opt',
    type: 'list',
    value: 'OPTION',
    hidden: true,
    help: 'Not supported',
    set: () => {
      throw new UsageError('--security-opt is not supported', 'see --isolation and --allow security.insecure')
    },
  },
  {
    name: 'policy',
    type: 'list',
    value: 'POLICY',
    hidden: true,
    help: 'Not supported',
    set: () => {
      throw new UsageError('--policy is not supported')
    },
  },
]
