/** `tsbuild lock`. */
import type { LockEntry, LockResult } from '@tsbuild/builder'
import { proxyArgs } from '../build/proxy-args.ts'
import { type CommandContext, defineCommand } from '../command.ts'
import { EXIT } from '../exit-codes.ts'
import { parseBuildArgs, parseBuildContexts } from '../flags/build/pairs.ts'
import { parseSecret, parseSsh } from '../flags/build/secret.ts'
import { write } from '../io.ts'
import { escapeControls } from '../progress/escape.ts'
import { UsageError } from '../usage-error.ts'

export const command = defineCommand({
  name: 'lock',
  usage: ['lock [FLAGS] [CONTEXT]', 'lock --update [FLAGS] [NAME…]'],
  description:
    'Looks up the base images, URLs and git refs that the Dockerfile can reach and leaves open, and writes their digests and commits to tsbuild.lock beside it (NAME.lock for a Dockerfile of another name), which builds then use. What is locked already stays as it is; --update looks it up again, all of it or what is named. stdout lists what changed.',
  arity: { min: 0 },
  flags: [
    {
      name: 'file',
      alias: 'f',
      type: 'string',
      value: 'FILE',
      completes: 'file',
      help: 'Path of the Dockerfile (default CONTEXT/Dockerfile)',
    },
    { name: 'update', type: 'boolean', help: 'Look up again what is locked: all of it, or what is named' },
    {
      name: 'check',
      type: 'boolean',
      help: 'Write nothing; exit 1 if something would change (with --update also if a source has changed)',
    },
    {
      name: 'context',
      type: 'string',
      value: 'DIR',
      completes: 'directory',
      help: 'The context, where names are given (default the current directory)',
    },
    {
      name: 'lock-file',
      type: 'string',
      value: 'FILE',
      completes: 'file',
      help: 'The lock file (default the one beside the Dockerfile)',
    },
    {
      name: 'build-arg',
      type: 'list',
      value: 'NAME[=VALUE]',
      help: 'Set an ARG, as for the build (repeatable)',
    },
    {
      name: 'build-context',
      type: 'list',
      value: 'NAME=SOURCE',
      help: 'Name a further context, as for the build (repeatable)',
    },
    {
      name: 'platform',
      type: 'slice',
      value: 'OS/ARCH[/VARIANT]',
      help: 'Platforms that are built for, where base images have other names on them (default this one)',
    },
    {
      name: 'secret',
      type: 'list',
      value: 'id=ID[,src=FILE|,env=NAME]',
      help: 'GIT_AUTH_TOKEN or GIT_AUTH_HEADER, for git repositories (repeatable)',
    },
    {
      name: 'ssh',
      type: 'list',
      value: 'default|ID[=SOCKET|KEY[,KEY]]',
      help: 'Offer an SSH agent or keys to git, as default (repeatable)',
    },
    {
      name: 'ssh-known-hosts',
      type: 'list',
      value: 'FILE',
      completes: 'file',
      help: 'File with the keys of hosts that git may reach over ssh (repeatable)',
    },
    { name: 'format', type: 'string', value: 'FORMAT', choices: ['text', 'json'], help: 'text or json (default text)' },
  ],
  examples: [
    { text: 'Lock what the Dockerfile of this directory uses', command: 'tsbuild lock' },
    { text: 'Renew everything', command: 'tsbuild lock --update' },
    { text: 'Renew one base image', command: 'tsbuild lock --update alpine' },
    { text: 'Fail in CI when the lock file is not up to date', command: 'tsbuild lock --check' },
  ],
  async run({ values, words }, context) {
    const { io, signal, global } = context
    const { debug: _, ...places } = global
    const json = values.format === 'json'
    const [place, ...more] = values.update ? [] : words
    if (more.length > 0)
      throw new UsageError(`tsbuild lock takes one context, not ${words.length}`, 'names are given with --update')
    if (values.context !== undefined && place !== undefined)
      throw new UsageError('the context is given twice', 'leave out --context')
    const { lock } = await import('@tsbuild/builder')
    const platforms = values.platform ?? (io.env.DOCKER_DEFAULT_PLATFORM ? [io.env.DOCKER_DEFAULT_PLATFORM] : undefined)
    const buildArgs = { ...(await proxyArgs(io.env)), ...parseBuildArgs(values['build-arg'] ?? [], io.env) }
    const result = await lock({
      ...places,
      context: values.context ?? place ?? '.',
      cwd: io.cwd,
      env: io.env,
      signal,
      buildArgs,
      buildContexts: parseBuildContexts(values['build-context'] ?? []),
      secrets: (values.secret ?? []).map((text) => parseSecret(text, io.env)),
      ssh: (values.ssh ?? []).map(parseSsh),
      ...(values['ssh-known-hosts'] && { sshKnownHosts: values['ssh-known-hosts'] }),
      stdin: io.stdin,
      update: words.length > 0 && values.update ? words : values.update === true,
      dryRun: values.check === true,
      ...(values.file !== undefined && { dockerfile: values.file }),
      ...(values['lock-file'] !== undefined && { lock: values['lock-file'] }),
      ...(platforms && { platforms: platforms.map((platform) => platform.trim()) }),
    })
    const text = json ? `${JSON.stringify(result, null, 2)}\n` : changes(result)
    await write(io.stdout, text)
    return await conclude(result, values.check === true, context)
  },
})

/** Lines of the file that come and go. */
function changes({ added, renewed, removed }: LockResult): string {
  const lines = [
    ...removed.map((entry) => `- ${line(entry)}`),
    ...renewed.flatMap(({ before, after }) => [`- ${line(before)}`, `+ ${line(after)}`]),
    ...added.map((entry) => `+ ${line(entry)}`),
  ]
  return lines.map((text) => `${escapeControls(text)}\n`).join('')
}

const line = ({ kind, source, digest }: LockEntry): string => `${kind} ${source} ${digest}`

async function conclude(
  { path, entries, added, renewed, removed }: LockResult,
  check: boolean,
  { io }: CommandContext,
): Promise<number> {
  const count = added.length + renewed.length + removed.length
  const has = `${path}: ${entries.length} locked`
  if (count === 0) await write(io.stderr, `${has}, nothing ${check ? 'to change' : 'changed'}\n`)
  else if (check) await write(io.stderr, `ERROR: ${path} is not up to date; run tsbuild lock without --check\n`)
  else await write(io.stderr, `${has}, ${added.length} new, ${renewed.length} renewed, ${removed.length} removed\n`)
  return check && count > 0 ? EXIT.failed : EXIT.ok
}
