/** Build flags: how RUN steps are executed. */
import { UsageError } from '../../usage-error.ts'
import { suggest } from '../suggest.ts'
import { parseDuration, parseInteger, parseSize } from '../values.ts'
import { parseAddHost, parseDns } from './add-host.ts'
import { ISOLATION_CHOICES, parseIsolation } from './isolation.ts'
import { limitNotices, parseResources, parseUlimit } from './limits.ts'
import { parseOutput } from './output.ts'
import type { BuildFlag } from './row.ts'
import { parseSecret, parseSsh } from './secret.ts'

const ENTITLEMENTS = ['network.host', 'security.insecure']

export const RUN_FLAGS: readonly BuildFlag[] = [
  {
    name: 'secret',
    type: 'list',
    value: 'id=ID[,src=FILE|,env=NAME]',
    help: 'Offer a secret to RUN --mount=type=secret; GIT_AUTH_TOKEN and GIT_AUTH_HEADER also to git (repeatable)',
    set: (draft, values) => {
      draft.options.secrets = values.map((text) => parseSecret(text, draft.env))
    },
  },
  {
    name: 'ssh',
    type: 'list',
    value: 'default|ID[=SOCKET|KEY[,KEY]]',
    help: 'Offer an SSH agent or keys to RUN --mount=type=ssh, and as default to git over ssh (repeatable)',
    set: (draft, values) => {
      draft.options.ssh = values.map(parseSsh)
    },
  },
  {
    name: 'ssh-known-hosts',
    type: 'list',
    value: 'FILE',
    completes: 'file',
    help: 'File with the keys of hosts that git may reach over ssh (repeatable; default ~/.ssh/known_hosts and /etc/ssh/ssh_known_hosts)',
    set: (draft, values) => {
      draft.options.sshKnownHosts = values
    },
  },
  {
    name: 'allow-secrets-in-layers',
    type: 'boolean',
    help: 'Do not fail when a secret is found in the files of a layer',
    set: (draft, value) => {
      draft.options.allowSecretsInLayers = value
    },
  },
  {
    name: 'network',
    type: 'string',
    value: 'MODE',
    choices: ['default', 'none', 'host', 'isolated'],
    help: 'Network of RUN: default, none, host or isolated',
    set: (draft, value) => {
      if (value === 'default' || value === 'none' || value === 'host' || value === 'isolated')
        draft.options.network = value
    },
  },
  {
    name: 'add-host',
    type: 'slice',
    value: 'NAME:ADDRESS',
    help: 'Add a line to /etc/hosts of RUN (repeatable)',
    set: (draft, values) => {
      draft.options.addHosts = values.map(parseAddHost)
    },
  },
  {
    name: 'dns',
    type: 'slice',
    value: 'ADDRESS',
    help: 'Name server in /etc/resolv.conf of RUN (repeatable)',
    set: (draft, values) => {
      draft.options.dns = values.map(parseDns)
    },
  },
  {
    name: 'allow',
    type: 'slice',
    value: 'ENTITLEMENT',
    help: 'Allow network.host or security.insecure (repeatable)',
    set: (draft, values) => {
      for (const value of values) {
        if (ENTITLEMENTS.includes(value)) continue
        const close = suggest(value, ENTITLEMENTS)
        throw new UsageError(
          `unknown entitlement ${value}`,
          close ? `did you mean ${close}?` : `the entitlements are ${ENTITLEMENTS.join(' and ')}`,
        )
      }
      draft.options.allow = values
    },
  },
  {
    name: 'isolation',
    type: 'string',
    value: 'LEVEL',
    choices: ISOLATION_CHOICES,
    help: 'How RUN is isolated: auto, namespaces, oci or chroot',
    set: (draft, value) => {
      const level = parseIsolation(value)
      if (level) draft.options.isolation = level
    },
  },
  {
    name: 'oci-runtime',
    type: 'string',
    value: 'PATH',
    completes: 'file',
    help: 'Runtime of --isolation oci (default runc, crun or youki, whichever is found)',
    set: (draft, value) => {
      draft.options.ociRuntime = value
    },
  },
  {
    name: 'shm-size',
    type: 'string',
    value: 'SIZE',
    help: 'Size of /dev/shm, such as 80m (default, also for 0: 64m)',
    set: (draft, value) => {
      draft.options.shmSize = parseSize(value, 'shm-size')
    },
  },
  {
    name: 'ulimit',
    type: 'list',
    value: 'NAME=SOFT[:HARD]',
    help: 'Limit of a process, such as nofile=1024 (repeatable)',
    set: (draft, values) => {
      draft.options.ulimits = values.map(parseUlimit)
    },
  },
  {
    name: 'resource',
    type: 'list',
    value: 'KEY=VALUE[,KEY=VALUE]',
    help: 'Limit of a RUN: memory, memory-swap, cpu-shares, cpu-period, cpu-quota, cpuset-cpus, cpuset-mems, pids; 0 is no limit (repeatable)',
    set: (draft, values) => {
      const resources = parseResources(values)
      draft.notices.push(...limitNotices('resource', resources))
      draft.options.resources = { ...draft.options.resources, ...resources }
    },
  },
  {
    name: 'cgroup-parent',
    type: 'string',
    value: 'PATH',
    help: 'Cgroup below which those of RUN are made',
    set: (draft, value) => {
      draft.options.cgroupParent = value
    },
  },
  {
    name: 'run-timeout',
    type: 'string',
    value: 'TIME',
    help: 'Longest time a RUN may take, such as 90s or 10m',
    set: (draft, value) => {
      draft.options.runTimeout = parseDuration(value, 'run-timeout', 1)
    },
  },
  {
    name: 'run-retries',
    type: 'string',
    value: 'N',
    help: 'How often a failed RUN is tried again, each time from a clean snapshot',
    set: (draft, value) => {
      draft.options.runRetries = parseInteger(value, 'run-retries')
    },
  },
  {
    name: 'on-error',
    type: 'string',
    value: 'ACTION',
    choices: ['fail', 'keep', 'shell'],
    help: 'When a RUN fails: fail, keep its root filesystem for tsbuild debug, or open a shell in it',
    set: (draft, value) => {
      if (value === 'fail' || value === 'keep' || value === 'shell') draft.options.onError = value
    },
  },
  {
    name: 'output-on-failure',
    type: 'string',
    value: 'DIR|type=TYPE,dest=PATH[,src=DIR][,stage=NAME]',
    completes: 'file',
    help: 'When a RUN fails, save the files it left, or those of one directory or stage: type local or tar',
    set: (draft, value) => {
      draft.options.outputOnFailure = parseOutput(value, 'output-on-failure')
    },
  },
]
