/** No flag of kaniko is accepted and dropped: driven by the table that the parser reads. */
import { describe, expect, it } from 'vitest'
import { type GlobalOptions, globalOptions } from '../flags/global.ts'
import { parseArguments } from '../flags/parse.ts'
import type { Environment } from '../io.ts'
import { UsageError } from '../usage-error.ts'
import { draftKaniko, KANIKO_FLAGS } from './flags.ts'
import { type KanikoRequest, resolveKaniko } from './request.ts'

const GLOBAL: GlobalOptions = globalOptions({})
const PUSH = ['--destination', 'r.example/app:1']

function request(
  args: readonly string[],
  env: Environment = {},
  exists: (path: string) => boolean = () => false,
): KanikoRequest {
  const { values, words } = parseArguments(args, KANIKO_FLAGS)
  return resolveKaniko(draftKaniko(values, env), words, GLOBAL, { exists })
}

/** What each flag is given, and what has to stand beside it. */
const SAMPLES: Readonly<Record<string, string | readonly string[]>> = {
  annotation: 'a=b',
  'azure-container-registry-config': 'x',
  bucket: 'x',
  'build-arg': 'A=b',
  cache: 'true',
  'cache-copy-layers': 'true',
  'cache-dir': '/cache',
  'cache-repo': ['r.example/cache', '--cache'],
  'cache-run-layers': 'true',
  'cache-ttl': '6h',
  cleanup: 'true',
  'compressed-caching': 'false',
  compression: 'zstd',
  'compression-level': '3',
  context: 'dir://x',
  'context-sub-path': 'x',
  'credential-helpers': 'ecr',
  'custom-platform': 'linux/arm64',
  customPlatform: 'linux/arm64',
  destination: 'x',
  'digest-file': 'x',
  dockerfile: 'x',
  dryrun: 'true',
  force: 'true',
  'force-build-metadata': 'true',
  git: ['branch=x', '--context=git://h.example/r'],
  'ignore-path': '/x',
  'ignore-var-run': 'false',
  'image-download-retry': '1',
  'image-format': 'docker',
  'image-fs-extract-retry': '1',
  'image-name-tag-with-digest-file': 'x',
  'image-name-with-digest-file': 'x',
  insecure: 'true',
  'insecure-pull': 'true',
  'insecure-registry': 'h:1',
  'kaniko-dir': '/x',
  label: 'a=b',
  'log-format': 'json',
  'log-timestamp': 'true',
  materialize: 'true',
  'no-push': 'true',
  'no-push-cache': ['true', '--cache'],
  'oci-layout-path': 'x',
  'pre-cleanup': 'true',
  'preserve-context': 'true',
  'push-ignore-immutable-tag-errors': 'true',
  'push-retry': '3',
  'registry-certificate': 'h=/x',
  'registry-client-cert': 'h=/x,/y',
  'registry-map': 'a=b',
  'registry-mirror': 'm.example',
  reproducible: 'true',
  secret: 'id=a,src=/x',
  'single-snapshot': 'true',
  'skip-default-registry-fallback': 'true',
  'skip-push-permission-check': 'true',
  'skip-tls-verify': 'true',
  'skip-tls-verify-pull': 'true',
  'skip-tls-verify-registry': 'h:1',
  'skip-unused-stages': 'true',
  'snapshot-mode': 'redo',
  snapshotMode: 'time',
  'tar-path': 'x',
  tarPath: 'x',
  target: 'x',
  'upload-tar': 'https://x',
  'upload-tar-retry': '1',
  'use-new-run': 'true',
  verbosity: 'warn',
  'whitelist-var-run': 'true',
}

/** Said to always hold here, so that there is nothing but a note. */
const ALWAYS: ReadonlySet<string> = new Set(['cache-run-layers'])

describe('every flag of kaniko', () => {
  it.each(KANIKO_FLAGS.map(({ name, effect }) => [name, effect] as const))(
    '--%s is as the table says: %s',
    (name, effect) => {
      const sample = SAMPLES[name]
      if (sample === undefined) throw new Error(`what does --${name} do? Give it a sample.`)
      const [value, ...others] = [sample].flat()
      const given = [`--${name}=${value}`, ...others, ...PUSH]
      if (effect === 'refused') {
        expect(() => request(given)).toThrow(UsageError)
        return
      }
      const { notes, ...changed } = request(given)
      const { notes: _, ...plain } = request([...others, ...PUSH])
      if (effect === 'none' || ALWAYS.has(name)) {
        expect(changed).toEqual(plain)
        expect(notes).toEqual([expect.stringMatching(`^--${name} has no effect: `)])
      } else {
        expect(changed).not.toEqual(plain)
        expect(notes).toEqual([])
      }
    },
  )

  it('has one row', () => {
    const names = KANIKO_FLAGS.map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
  })

  it.each(
    KANIKO_FLAGS.filter(({ effect, type }) => effect === 'refused' && type === 'boolean').map(({ name }) => name),
  )('--%s=false is no reason to fail', (name) => expect(request([`--${name}=false`, ...PUSH])).toEqual(request(PUSH)))
})

describe('flags of kaniko become options', () => {
  const options = (args: readonly string[], env?: Environment, files: readonly string[] = []) => {
    const { options } = request([...args, ...PUSH], env, (path) => files.includes(path))
    return options
  }

  it.each<[string, string[], Environment, object]>([
    [
      'nothing',
      [],
      {},
      {
        context: '/workspace/',
        dockerfile: '/workspace/Dockerfile',
        noCache: true,
        tags: ['r.example/app:1'],
        outputs: [{ type: 'registry', attrs: {} }],
      },
    ],
    ['a directory', ['-c', 'dir:///src', '--context-sub-path', 'a'], {}, { context: '/src/a' }],
    ['stdin', ['-c', 'tar://stdin'], {}, { context: '-' }],
    [
      'a git repository',
      ['-c', 'git://h.example/o/r#refs/heads/main'],
      {},
      { context: 'https://h.example/o/r.git?submodules=false#refs/heads/main' },
    ],
    [
      'a commit',
      ['-c', 'git://h.example/o/r.git#main#abc', '--context-sub-path', 'd'],
      {},
      { context: 'https://h.example/o/r.git?submodules=false#abc:d' },
    ],
    [
      'a branch',
      ['-c', 'git://h.example/r', '--git', 'branch=v 1', '--git', 'recurse-submodules=true'],
      {},
      { context: 'https://h.example/r.git#v%201' },
    ],
    [
      'a token',
      ['-c', 'git://h.example:1/r'],
      { GIT_TOKEN: 't', GIT_PULL_METHOD: 'http' },
      {
        context: 'http://h.example:1/r.git?submodules=false',
        secrets: [{ id: 'GIT_AUTH_HEADER.h.example:1', value: 'basic dDo=' }],
      },
    ],
    [
      'a name alone',
      ['--build-arg', 'A', '--build-arg', 'B', '--build-arg', 'C=d=e'],
      { A: '1' },
      { buildArgs: { A: '1', B: '', C: 'd=e' } },
    ],
    [
      'mirrors',
      ['--registry-mirror', 'm', '--registry-map', 'index.docker.io=n;q.io=p/x'],
      { KANIKO_REGISTRY_MIRROR: 'e' },
      { mirrors: { 'index.docker.io': 'n', 'docker.io': ['m', 'e'], 'q.io': 'p/x' } },
    ],
    [
      'an inferred cache',
      ['--cache'],
      {},
      {
        cacheFrom: [{ type: 'registry', attrs: { ref: 'r.example/app/cache:tsbuild' } }],
        cacheTo: [
          { type: 'registry', attrs: { ref: 'r.example/app/cache:tsbuild', mode: 'max', 'ignore-error': 'true' } },
        ],
      },
    ],
    [
      'a layout of a cache',
      ['--cache', '--cache-repo', 'oci:/c', '--no-push-cache'],
      {},
      { cacheFrom: [{ type: 'local', attrs: { src: '/c' } }] },
    ],
    [
      'all outputs of one image',
      ['--tar-path', 'a.tar', '--oci-layout-path', 'l', '--reproducible', '--insecure'],
      {},
      {
        outputs: [
          {
            type: 'oci',
            attrs: {
              'oci-mediatypes': 'true',
              'source-date-epoch': '0',
              'rewrite-timestamp': 'true',
              dest: 'l',
              tar: 'false',
            },
          },
          {
            type: 'docker',
            attrs: { 'oci-mediatypes': 'true', 'source-date-epoch': '0', 'rewrite-timestamp': 'true', dest: 'a.tar' },
          },
          {
            type: 'registry',
            attrs: { 'source-date-epoch': '0', 'rewrite-timestamp': 'true', 'registry.insecure': 'true' },
          },
        ],
      },
    ],
    [
      'no push by the environment',
      [],
      { KANIKO_NO_PUSH: 'true' },
      { outputs: [{ type: 'image', attrs: { store: 'false' } }] },
    ],
    [
      'a push by the environment',
      ['--no-push'],
      { KANIKO_NO_PUSH: '0' },
      { outputs: [{ type: 'registry', attrs: {} }] },
    ],
    ["kaniko's directory", [], { KANIKO_DIR: '/k' }, { root: '/k/tsbuild' }],
  ])('%s', (_, args, env, expected) => expect(options(args, env)).toMatchObject(expected))

  it('finds the Dockerfile in the current directory, then in the context', () => {
    expect(options(['-c', 'ctx'], {}, ['ctx', 'ctx/Dockerfile']).dockerfile).toBe('ctx/Dockerfile')
    expect(options(['-c', 'ctx', '-f', 'D'], {}, ['ctx', 'D']).dockerfile).toBe(`${process.cwd()}/D`)
    expect(options(['-c', 'tar://stdin', '-f', 'd/D'], {}, []).dockerfile).toBe('d/D')
    expect(() => options(['-c', 'ctx', '-f', 'D'], {}, ['ctx'])).toThrow('please provide a valid path to a Dockerfile')
  })

  it("finds docker's config where kaniko has it", () => {
    const files = ['/kaniko/.docker/config.json', '/k/.docker/config.json']
    expect(options([], {}, files).dockerConfig).toBe('/kaniko/.docker')
    expect(options([], { DOCKER_CONFIG: '/d' }, files).dockerConfig).toBe('/d')
    expect(options(['--kaniko-dir', '/k'], { DOCKER_CONFIG: '/d' }, files).dockerConfig).toBe('/k/.docker')
    expect(options([], {}).dockerConfig).toBeUndefined()
  })

  it('tells of features that are switched on by the environment', () => {
    expect(request(PUSH, { FF_KANIKO_X: '1', KANIKO_CLEANUP: '1' }).notes).toEqual([
      '$FF_KANIKO_X has no effect',
      '$KANIKO_CLEANUP has no effect',
    ])
  })
})

describe('flags of kaniko refuse', () => {
  it.each<[string[], string]>([
    [[], 'you must provide --destination, or use --no-push'],
    [['--no-push', '--cache'], 'if using cache with --no-push, specify cache repo with --cache-repo'],
    [['--no-push', '--image-name-with-digest-file', 'x'], 'you must provide --destination'],
    [['login'], 'tsbuild kaniko has no command login'],
    [['true', ...PUSH], 'unknown command "true" for "executor"'],
    [['-c', 's3://b/k', ...PUSH], 'contexts in s3:// are not read'],
    [['-c', 'gs://b/k', ...PUSH], 'contexts in gs:// are not read'],
    [['-c', 'ftp://b/k', ...PUSH], 'unknown build context prefix provided'],
    [['-c', '', ...PUSH], 'please specify a path to the build context'],
    [['-c', 'tar://x', '--context-sub-path', 'd', ...PUSH], '--context-sub-path is not supported for archives'],
    [['-f', 'https://x/Dockerfile', ...PUSH], 'a Dockerfile at a URL is not supported'],
    [['--label', 'a', ...PUSH], 'expect key=value, got a'],
    [['--git', 'x=y', ...PUSH], 'there is no key x'],
    [['--git', 'insecure-skip-tls=true', ...PUSH], 'insecure-skip-tls=true is not supported'],
    [['--compression', 'xz', ...PUSH], 'it must be one of gzip, zstd'],
    [['--compression-level', 'x', ...PUSH], 'it must be a number'],
    [['--digest-file', 'https://x', ...PUSH], 'to a URL is not supported'],
    [['--cache-run-layers=false', ...PUSH], '--cache-run-layers=false is not supported'],
    [['--destinatoin', 'x'], 'unknown flag: --destinatoin'],
  ])('%j', (args, message) => expect(() => request(args)).toThrow(message))
})
