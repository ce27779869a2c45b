/** `tsbuild run`. */
import type { ProgressListener, RunImageOptions } from '@tsbuild/builder'
import { defineCommand } from '../command.ts'
import { parseAddHost, parseDns } from '../flags/build/add-host.ts'
import { ISOLATION_CHOICES, parseIsolation } from '../flags/build/isolation.ts'
import { parseUlimit } from '../flags/build/limits.ts'
import { parseSize } from '../flags/values.ts'
import { write } from '../io.ts'
import { escapeControls } from '../progress/escape.ts'
import { startProgress } from '../progress/index.ts'
import { CONSOLE_FLAGS, openConsole, runToEnd } from '../run/console.ts'
import { makeVolumes, parseMount, parseTmpfs, parseVolume, volumeNotices } from '../run/mounts.ts'
import { LIMIT_FLAGS, parseLimits, parseVariables } from '../run/options.ts'
import { UsageError } from '../usage-error.ts'

const NETWORKS: Readonly<Record<string, NonNullable<RunImageOptions['network']>>> = {
  default: 'host',
  host: 'host',
  none: 'none',
  isolated: 'isolated',
}

export const command = defineCommand({
  name: 'run',
  usage: ['run [FLAGS] IMAGE [COMMAND] [ARGUMENT…]'],
  description:
    "Runs a process of an image in the foreground, isolated as RUN is, on a root filesystem that is thrown away when it ends. For trying out what was built: there are no ports, restarts or containers that stay. The image is taken from the local store, else from its registry. The exit code is the process's; 125 when it could not be started, 126 and 127 when its program cannot be run or does not exist.",
  arity: { min: 1 },
  stopAtWord: true,
  flags: [
    ...CONSOLE_FLAGS,
    { name: 'env', alias: 'e', type: 'list', value: 'NAME[=VALUE]', help: 'Set a variable (repeatable)' },
    {
      name: 'env-file',
      type: 'list',
      value: 'FILE',
      completes: 'file',
      help: 'Set the variables of a file (repeatable)',
    },
    {
      name: 'volume',
      alias: 'v',
      type: 'list',
      value: 'HOST:CONTAINER[:ro]',
      completes: 'file',
      help: 'Show a file or directory of this machine (repeatable)',
    },
    {
      name: 'mount',
      type: 'list',
      value: 'type=bind|tmpfs,…',
      help: 'The same in the long form: type=bind,src=HOST,dst=CONTAINER[,readonly] or type=tmpfs,dst=CONTAINER[,tmpfs-size=SIZE] (repeatable)',
    },
    {
      name: 'tmpfs',
      type: 'list',
      value: 'DIR[:OPTIONS]',
      help: 'An empty directory in memory; options size, mode, exec (repeatable)',
    },
    { name: 'read-only', type: 'boolean', help: 'Do not let the root filesystem be written' },
    { name: 'user', alias: 'u', type: 'string', value: 'USER[:GROUP]', help: 'User, by name or number' },
    { name: 'group-add', type: 'list', value: 'GROUP', help: 'Further group, by name or number (repeatable)' },
    { name: 'cap-add', type: 'slice', value: 'CAPABILITY', help: 'Add a capability, or ALL (repeatable)' },
    { name: 'cap-drop', type: 'slice', value: 'CAPABILITY', help: 'Take a capability away, or ALL (repeatable)' },
    { name: 'init', type: 'boolean', help: 'Have a process 1 that collects orphans' },
    { name: 'workdir', alias: 'w', type: 'string', value: 'DIR', help: 'Working directory' },
    {
      name: 'entrypoint',
      type: 'string',
      value: 'PROGRAM',
      help: "Program in place of the image's ENTRYPOINT and CMD",
    },
    { name: 'hostname', alias: 'h', type: 'string', value: 'NAME', help: 'Host name (default random)' },
    {
      name: 'network',
      type: 'string',
      value: 'MODE',
      choices: Object.keys(NETWORKS),
      help: "Network: host (this machine's, the default), none or isolated",
    },
    { name: 'add-host', type: 'list', value: 'NAME:ADDRESS', help: 'Add a line to /etc/hosts (repeatable)' },
    { name: 'dns', type: 'list', value: 'ADDRESS', help: 'Name server (repeatable)' },
    { name: 'platform', type: 'string', value: 'OS/ARCH[/VARIANT]', help: 'Platform of an image that has several' },
    {
      name: 'pull',
      type: 'string',
      value: 'WHEN',
      choices: ['always', 'missing', 'never'],
      help: 'When to fetch the image: always, missing or never (default missing)',
    },
    ...LIMIT_FLAGS,
    { name: 'shm-size', type: 'string', value: 'SIZE', help: 'Size of /dev/shm (default, also for 0: 64m)' },
    { name: 'ulimit', type: 'list', value: 'NAME=SOFT[:HARD]', help: 'Limit of a process (repeatable)' },
    { name: 'cgroup-parent', type: 'string', value: 'PATH', help: 'Cgroup below which the one of the process is made' },
    {
      name: 'isolation',
      type: 'string',
      value: 'LEVEL',
      choices: ISOLATION_CHOICES,
      help: 'auto, namespaces, oci or chroot (default auto)',
    },
    { name: 'oci-runtime', type: 'string', value: 'PATH', completes: 'file', help: 'Runtime of --isolation oci' },
    { name: 'quiet', alias: 'q', type: 'boolean', help: 'Do not show how the image is fetched' },
    { name: 'privileged', type: 'boolean', hidden: true, help: 'Not supported' },
    { name: 'detach', alias: 'd', type: 'boolean', hidden: true, help: 'Not supported' },
    { name: 'publish', alias: 'p', type: 'list', value: 'PORT', hidden: true, help: 'Not supported' },
    { name: 'name', type: 'string', value: 'NAME', hidden: true, help: 'Not supported' },
    { name: 'restart', type: 'string', value: 'POLICY', hidden: true, help: 'Not supported' },
    { name: 'rm', type: 'boolean', help: 'What always holds: nothing is left of the process' },
  ],
  examples: [
    { text: 'Try what was built', command: 'tsbuild run my-app:1.0' },
    { text: 'A shell in an image', command: 'tsbuild run -it my-app:1.0 sh' },
    {
      text: 'Tests against the files here, without a network',
      command: 'tsbuild run -v .:/src:ro -w /src --network none my-app:test npm test',
    },
  ],
  async run({ values, words: [image, ...args] }, context) {
    const { io, signal, global } = context
    if (values.detach) throw new UsageError('--detach is not supported', 'the process runs in the foreground')
    if (values.name !== undefined)
      throw new UsageError('--name is not supported', 'nothing stays of a process that could be named; see --hostname')
    if (values.restart !== undefined && values.restart !== 'no')
      throw new UsageError('--restart is not supported', 'the process runs once, in the foreground')
    if (values.rm === false)
      throw new UsageError('--rm=false is not supported', 'nothing stays of a process; take files out with -v')
    if (values.publish)
      throw new UsageError('--publish is not supported', "the process is in this machine's network: its ports are open")
    if (values.privileged)
      throw new UsageError(
        '--privileged is not supported: it would hand this machine and its devices to the process',
        'see --cap-add for single rights, and -v for single files',
      )
    const named = (values.volume ?? []).map(parseVolume)
    const mounts = (values.mount ?? []).map((text) => parseMount(text, io.cwd))
    const volumes = [...named, ...mounts.flatMap((mount) => ('volume' in mount ? [mount.volume] : []))]
    const tmpfs = [
      ...(values.tmpfs ?? []).map(parseTmpfs),
      ...mounts.flatMap((mount) => ('tmpfs' in mount ? [mount.tmpfs] : [])),
    ]
    const { stdin, stdout, stderr, tty } = openConsole(io, {
      interactive: values.interactive === true,
      tty: values.tty === true,
    })
    const wanted = optional({
      entrypoint: values.entrypoint === undefined ? undefined : values.entrypoint === '' ? [] : [values.entrypoint],
      user: values.user,
      workdir: values.workdir,
      hostname: values.hostname,
      network: values.network === undefined ? undefined : NETWORKS[values.network],
      platform: values.platform,
      // The parser has checked the choices.
      pull: values.pull as 'always' | undefined,
      shmSize: values['shm-size'] === undefined ? undefined : parseSize(values['shm-size'], 'shm-size'),
      cgroupParent: values['cgroup-parent'],
      isolation: parseIsolation(values.isolation),
      ociRuntime: values['oci-runtime'],
      root: global.root,
      mirrors: global.mirrors,
      caFiles: global.caFiles,
      insecureRegistries: global.insecureRegistries,
    })
    const options: Omit<RunImageOptions, 'onProgress'> = {
      ...wanted,
      image: image!,
      command: args,
      variables: parseVariables(values.env ?? [], values['env-file'] ?? [], io.env),
      volumes,
      tmpfs,
      readonlyRoot: values['read-only'] === true,
      capAdd: values['cap-add'] ?? [],
      capDrop: values['cap-drop'] ?? [],
      groups: values['group-add'] ?? [],
      init: values.init === true,
      addHosts: (values['add-host'] ?? []).map(parseAddHost),
      dns: (values.dns ?? []).map(parseDns),
      resources: parseLimits(values),
      ulimits: (values.ulimit ?? []).map(parseUlimit),
      env: io.env,
      signal,
      stdin,
      stdout,
      stderr,
      tty,
    }
    for (const notice of volumeNotices(values.volume ?? [])) await write(io.stderr, `WARNING: ${notice}\n`)
    await makeVolumes(named)
    const { runImage } = await import('@tsbuild/builder')
    using display = startProgress(values.quiet ? 'quiet' : 'plain', io.stderr, io.env)
    const onProgress: ProgressListener = (event) => {
      // Before the process prints anything, and also with --quiet: that it is isolated less than usual must be known.
      if (event.type === 'warning') io.stderr.write(`WARNING: ${escapeControls(event.warning.message)}\n`)
      else display.listener(event)
    }
    return await runToEnd(context, () => runImage({ ...options, onProgress }))
  },
})

type Given<T> = { [K in keyof T]: Exclude<T[K], undefined> }

/** Leaves out what was not given. */
function optional<T extends object>(values: T): Partial<Given<T>> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Partial<Given<T>>
}
