/** Build flags: what is built from. */
import { parseBuildArgs, parseBuildContexts } from './pairs.ts'
import type { BuildFlag } from './row.ts'

export const INPUT_FLAGS: readonly BuildFlag[] = [
  {
    name: 'file',
    alias: 'f',
    type: 'string',
    value: 'FILE',
    completes: 'file',
    help: 'Path of the Dockerfile, - for stdin (default CONTEXT/Dockerfile)',
    set: (draft, value) => {
      if (value !== '') draft.options.dockerfile = value
    },
  },
  {
    name: 'target',
    type: 'string',
    value: 'STAGE',
    help: 'Build up to this stage',
    set: (draft, value) => {
      if (value !== '') draft.options.target = value
    },
  },
  {
    name: 'build-arg',
    type: 'list',
    value: 'NAME[=VALUE]',
    help: 'Set an ARG; a name alone takes its value from the environment (repeatable)',
    set: (draft, values) => {
      draft.options.buildArgs = parseBuildArgs(values, draft.env)
    },
  },
  {
    name: 'build-context',
    type: 'list',
    value: 'NAME=SOURCE',
    help: 'Name a further context: a directory, docker-image://REF, oci-layout://DIR[:TAG|@DIGEST], a git or http URL (repeatable)',
    set: (draft, values) => {
      draft.options.buildContexts = parseBuildContexts(values)
    },
  },
  {
    name: 'platform',
    type: 'slice',
    value: 'OS/ARCH[/VARIANT]',
    help: "Platforms to build for (default $DOCKER_DEFAULT_PLATFORM, else this machine's)",
    set: (draft, values) => {
      draft.options.platforms = values.map((platform) => platform.trim())
    },
  },
  {
    name: 'locked',
    type: 'boolean',
    help: 'Refuse sources that the lock file does not have (default where $CI is set and there is a lock file)',
    set: (draft, value) => {
      draft.options.locked = value
    },
  },
  {
    name: 'lock-file',
    type: 'string',
    value: 'FILE',
    completes: 'file',
    help: 'Use the digests and commits of this lock file (default the one beside the Dockerfile, if there is one)',
    set: (draft, value) => {
      draft.options.lock = value
    },
  },
  {
    name: 'no-lock',
    type: 'boolean',
    help: 'Use no lock file',
    set: (draft, value) => {
      if (value) draft.options.lock = false
    },
  },
  {
    name: 'pull',
    type: 'boolean',
    help: 'Ask registries for newer base images even when the store has some',
    set: (draft, value) => {
      draft.options.pull = value
    },
  },
]
