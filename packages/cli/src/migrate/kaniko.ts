/** Command lines of kaniko's executor. */
import { existsSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import type { BuildOptions } from '@tsbuild/builder'
import { csvField } from '../flags/csv.ts'
import { parseArguments } from '../flags/parse.ts'
import { draftKaniko, KANIKO_FLAGS } from '../kaniko/flags.ts'
import { type KanikoRequest, resolveKaniko } from '../kaniko/request.ts'
import type { UsageError } from '../usage-error.ts'
import type { Migration } from './migration.ts'
import { isOpenEnded, type ShellLine } from './shell-words.ts'

/** @throws UsageError where kaniko's command line is wrong, or its context cannot be had */
export function migrateKaniko(line: ShellLine): Migration {
  const [program = ''] = line.words
  const args = program.startsWith('-') ? line.words : line.words.slice(1)
  const notes: string[] = []
  const { values, words } = parseArguments(args, KANIKO_FLAGS)
  const strangers = words.filter((word) => !line.isOpen(word))
  for (const word of words.filter((word) => line.isOpen(word)))
    notes.push(`left out: ${line.plain(word)}, whose flags have to be translated, too`)
  const refused = (error: UsageError): void =>
    void notes.push(`left out: ${error.message}${error.hint === undefined ? '' : ` (${error.hint})`}`)
  const draft = draftKaniko(values, {}, refused)
  // Only the Dockerfile is looked for, since kaniko takes its path for one of the current directory first.
  const exists = (path: string): boolean =>
    path !== draft.dockerfile || isAbsolute(path) || isOpenEnded(path[0] ?? '') || existsSync(path)
  const request = resolveKaniko(draft, strangers, { debug: false }, { exists })
  const { context = '.', dockerfile: found, ...others } = request.options
  const inContext = join(String(context), 'Dockerfile')
  const dockerfile =
    exists(draft.dockerfile) || draft.dockerfile.startsWith(`${draft.context}/`) ? draft.dockerfile : found
  const usual = dockerfile === undefined || dockerfile === inContext
  const options: BuildOptions = { ...others, ...(!usual && { dockerfile }) }
  return {
    words: [
      'tsbuild',
      'build',
      ...imageArguments(options),
      ...repeated('--build-arg', values['build-arg']),
      ...repeated('--secret', values.secret),
      ...otherArguments(options),
      String(context),
    ],
    stdin: request.archive,
    notes: [...notes, ...draft.notes, ...openQuestions(request, new Set(Object.keys(values)))],
  }
}

function imageArguments(options: BuildOptions): string[] {
  const { tags, dockerfile, target, platforms, labels = {}, annotations, outputs = [] } = options
  return [
    ...repeated('-t', tags),
    ...(dockerfile === undefined ? [] : ['-f', String(dockerfile)]),
    ...(target === undefined ? [] : ['--target', target]),
    ...repeated('--platform', platforms),
    ...repeated(
      '--label',
      Object.entries(labels).map((pair) => pair.join('=')),
    ),
    ...repeated('--annotation', annotations),
    ...outputs.flatMap(({ type, attrs }) =>
      type === 'registry' && Object.keys(attrs).length === 0 ? ['--push'] : ['--output', fields(type, attrs)],
    ),
  ]
}

function otherArguments(options: BuildOptions): string[] {
  const { mirrors = {}, caFiles = [], cacheFrom = [], cacheTo = [], insecureRegistries, noCache, root } = options
  const pairs = Object.entries(mirrors).flatMap(([registry, list]) => [list].flat().map((one) => `${registry}=${one}`))
  return [
    ...(noCache ? ['--no-cache'] : []),
    ...cacheFrom.flatMap(({ type, attrs }) => ['--cache-from', fields(type, attrs)]),
    ...cacheTo.flatMap(({ type, attrs }) => ['--cache-to', fields(type, attrs)]),
    ...repeated('--mirror', pairs),
    ...repeated('--insecure-registry', insecureRegistries),
    ...repeated('--ca-file', caFiles.map(String)),
    ...(root === undefined ? [] : ['--root', String(root)]),
  ]
}

const repeated = (flag: string, values: unknown): string[] =>
  ((values as readonly string[] | undefined) ?? []).flatMap((value) => [flag, value])

const fields = (type: string, attrs: Readonly<Record<string, unknown>>): string =>
  [`type=${type}`, ...Object.entries(attrs).map(([key, value]) => csvField(`${key}=${value}`))].join(',')

/** What the flags of `tsbuild build` do not say. */
function openQuestions({ options, files }: KanikoRequest, given: ReadonlySet<string>): string[] {
  const { mirrorsOnly, insecurePull, noCache, context } = options
  return [
    ...(Object.keys(files).length > 0
      ? [
          'files with digests: --metadata-file FILE writes names and digest as JSON, and tsbuild kaniko writes them as kaniko does',
        ]
      : []),
    ...(mirrorsOnly ? ['--skip-default-registry-fallback has no counterpart; tsbuild kaniko has it'] : []),
    ...(insecurePull ? ['for insecure pulls name each registry of a base image with --insecure-registry HOST'] : []),
    ...(noCache
      ? ['--no-cache is there because kaniko runs every step without --cache; leave it out to use the local store']
      : []),
    ...(/^https?:.*\.git/.test(String(context))
      ? ['for a private repository add --secret id=GIT_AUTH_TOKEN,env=GIT_TOKEN']
      : []),
    ...(['verbosity', 'log-format', 'log-timestamp'].some((flag) => given.has(flag))
      ? ['logs: --progress plain, quiet or rawjson']
      : []),
  ]
}
