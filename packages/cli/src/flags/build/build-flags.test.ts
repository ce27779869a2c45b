import type { BuildOptions } from '@tsbuild/builder'
import { describe, expect, it } from 'vitest'
import type { Environment } from '../../io.ts'
import { UsageError } from '../../usage-error.ts'
import { GLOBAL_FLAGS, globalOptions } from '../global.ts'
import { parseArguments } from '../parse.ts'
import type { FlagSpec } from '../spec.ts'
import { BUILD_FLAGS, draftBuild } from './index.ts'
import { type BuildRequest, resolveBuild } from './resolve.ts'

const TABLE: readonly FlagSpec[] = [...BUILD_FLAGS, ...GLOBAL_FLAGS]

function request(args: readonly string[], env: Environment = {}): BuildRequest {
  const { values, words } = parseArguments(args, TABLE)
  return resolveBuild(draftBuild(values, env), words, globalOptions(values))
}

/** The options of a command line with the context `.`, without what every one has. */
function options(args: readonly string[], env: Environment = {}): BuildOptions {
  const { env: _env, context: _context, ...rest } = request([...args, '.'], env).options
  if (Object.keys(rest.buildArgs ?? {}).length > 0) return rest
  const { buildArgs: _none, ...without } = rest
  return without
}

describe('build flags become options', () => {
  it.each<[string[], Partial<BuildOptions>]>([
    [[], {}],
    [['-t', 'a', '--tag=b:1'], { tags: ['a', 'b:1'] }],
    [['-f', 'x/Dockerfile'], { dockerfile: 'x/Dockerfile' }],
    [['-f', '-'], { dockerfile: '-' }],
    [['--target', 'test'], { target: 'test' }],
    [['--label', 'a=b=c', '--label', 'd'], { labels: { a: 'b=c', d: '' } }],
    [['--build-arg', 'a=b', '--build-arg', 'c='], { buildArgs: { a: 'b', c: '' } }],
    [['--build-arg', '__proto__=x'], { buildArgs: JSON.parse('{"__proto__":"x"}') }],
    [['--build-context', 'base=docker-image://alpine'], { buildContexts: { base: 'docker-image://alpine' } }],
    [
      ['--platform', 'linux/amd64,linux/arm64', '--platform', 'linux/amd64'],
      { platforms: ['linux/amd64', 'linux/arm64', 'linux/amd64'] },
    ],
    [['--pull'], { pull: true }],
    [['--no-cache', '--no-cache-filter', 'a,b'], { noCache: true, noCacheFilter: ['a', 'b'] }],
    [['--network', 'none'], { network: 'none' }],
    [['--root', '/r', '--mirror', 'docker.io=m/x'], { root: '/r', mirrors: { 'docker.io': 'm/x' } }],
    [['-o', 'out'], { outputs: [{ type: 'local', attrs: { dest: 'out' } }] }],
    [['-o', '-'], { outputs: [{ type: 'tar', attrs: { dest: '-' } }] }],
    [['-o', 'type=oci,dest=a.tar,Tar=false'], { outputs: [{ type: 'oci', attrs: { dest: 'a.tar', tar: 'false' } }] }],
    [['-o', 'type=image,"name=a,b",push=true'], { outputs: [{ type: 'image', attrs: { name: 'a,b', push: 'true' } }] }],
    [
      ['-o', 'type=oci,dest=a', '-o', 'type=cacheonly'],
      {
        outputs: [
          { type: 'oci', attrs: { dest: 'a' } },
          { type: 'cacheonly', attrs: {} },
        ],
      },
    ],
    [['--push', '-t', 'r/a'], { tags: ['r/a'], outputs: [{ type: 'registry', attrs: {} }] }],
    [['--push', '-o', 'type=image,name=r/a'], { outputs: [{ type: 'image', attrs: { name: 'r/a', push: 'true' } }] }],
    [
      ['--push', '-t', 'r/a', '-o', 'type=oci,dest=x'],
      {
        tags: ['r/a'],
        outputs: [
          { type: 'oci', attrs: { dest: 'x' } },
          { type: 'registry', attrs: {} },
        ],
      },
    ],
    [['--load'], { outputs: [{ type: 'docker', attrs: { dest: '-' } }] }],
    [['-o', 'type=docker'], { outputs: [{ type: 'docker', attrs: { dest: '-' } }] }],
    [['-o', 'type=docker,dest=x.tar'], { outputs: [{ type: 'docker', attrs: { dest: 'x.tar' } }] }],
    [['--secret', 'id=a,src=/f'], { secrets: [{ id: 'a', src: '/f' }] }],
    [['--secret', 'id=a,source=/f,type=file'], { secrets: [{ id: 'a', src: '/f' }] }],
    [['--secret', 'id=a,env=B'], { secrets: [{ id: 'a', env: 'B' }] }],
    [['--secret', 'type=env,id=a'], { secrets: [{ id: 'a', env: 'a' }] }],
    [['--secret', 'type=env,id=a,src=B'], { secrets: [{ id: 'a', env: 'B' }] }],
    [['--secret', 'id=a'], { secrets: [{ id: 'a', src: 'a' }] }],
    [['--ssh', 'default'], { ssh: [{ id: 'default', paths: [] }] }],
    [['--ssh', 'git=/a,/b'], { ssh: [{ id: 'git', paths: ['/a', '/b'] }] }],
    [['--allow', 'network.host,security.insecure'], { allow: ['network.host', 'security.insecure'] }],
    [['--shm-size', '80m'], { shmSize: 80 * 2 ** 20 }],
    [['--shm-size', '134217728'], { shmSize: 134217728 }],
    [['--ulimit', 'nofile=1062:1063'], { ulimits: [{ name: 'nofile', soft: 1062, hard: 1063 }] }],
    [['--ulimit', 'cpu=300'], { ulimits: [{ name: 'cpu', soft: 300, hard: 300 }] }],
    [['--ulimit', 'core=-1'], { ulimits: [{ name: 'core', soft: -1, hard: -1 }] }],
    [
      ['--resource', 'memory=1g,memory-swap=-1', '--resource', 'cpuset-cpus=0-1,3', '--resource', 'pids=5'],
      { resources: { memory: 2 ** 30, memorySwap: -1, cpusetCpus: '0-1,3', pids: 5 } },
    ],
    [['-m', '1m', '--cpu-shares', '5', '--resource', 'memory=2m'], { resources: { memory: 2 ** 20, cpuShares: 5 } }],
    [['--add-host', 'a:1.2.3.4', '--add-host', 'b=[::1]'], { addHosts: ['a:1.2.3.4', 'b:::1'] }],
    [['--dns', '1.1.1.1'], { dns: ['1.1.1.1'] }],
    [['--cgroup-parent', '/x'], { cgroupParent: '/x' }],
    [['--isolation', 'oci', '--oci-runtime', '/r'], { isolation: 'oci', ociRuntime: '/r' }],
    [['--isolation', 'default'], { isolation: 'auto' }],
    [['--run-timeout', '90s', '--run-retries', '2'], { runTimeout: 90_000, runRetries: 2 }],
    [['--on-error', 'keep'], { onError: 'keep' }],
    [['--allow-secrets-in-layers'], { allowSecretsInLayers: true }],
    [['--attest', 'type=provenance,mode=max'], { attests: ['type=provenance,mode=max'] }],
    [['--provenance=mode=max'], { attests: ['type=provenance,mode=max'] }],
    [['--provenance=true', '--sbom', 'generator=x'], { attests: ['type=provenance', 'type=sbom,generator=x'] }],
    [['--provenance=false', '--sbom=0'], {}],
    [['--attest', 'type=sbom,"a=b,c",disabled=false'], { attests: ['type=sbom,"a=b,c"'] }],
    [
      ['--annotation', 'a=b', '--annotation', 'index,manifest[linux/amd64]:c=d'],
      { annotations: ['a=b', 'index,manifest[linux/amd64]:c=d'] },
    ],
    [
      ['--cache-from', 'a/b:c,d'],
      {
        cacheFrom: [
          { type: 'registry', attrs: { ref: 'a/b:c' } },
          { type: 'registry', attrs: { ref: 'd' } },
        ],
      },
    ],
    [['--cache-to', 'type=local,dest=x,mode=max'], { cacheTo: [{ type: 'local', attrs: { dest: 'x', mode: 'max' } }] }],
  ])('%j', (args, expected) => expect(options(args)).toEqual(expected))

  it('reads what the environment says', () => {
    expect(options(['--build-arg', 'A', '--build-arg', 'B'], { A: '1' })).toEqual({ buildArgs: { A: '1' } })
    expect(options([], { SOURCE_DATE_EPOCH: '7' })).toEqual({ buildArgs: { SOURCE_DATE_EPOCH: '7' } })
    expect(options(['--build-arg', 'SOURCE_DATE_EPOCH=8'], { SOURCE_DATE_EPOCH: '7' })).toEqual({
      buildArgs: { SOURCE_DATE_EPOCH: '8' },
    })
    expect(options([], { DOCKER_DEFAULT_PLATFORM: 'linux/arm64' })).toEqual({ platforms: ['linux/arm64'] })
    expect(options(['--secret', 'id=a'], { a: 'x' })).toEqual({ secrets: [{ id: 'a', env: 'a' }] })
    expect(request(['.'], { BUILDKIT_PROGRESS: 'plain' }).progress).toBe('plain')
    expect(request(['--progress', 'tty', '.'], { BUILDKIT_PROGRESS: 'plain' }).progress).toBe('tty')
  })

  it.each<[string[], Partial<BuildRequest>]>([
    [['-q'], { quiet: true, progress: 'quiet' }],
    [['--progress=rawjson'], { progress: 'rawjson' }],
    [['--check'], { call: { kind: 'check', format: 'text', ignoreStatus: false } }],
    [['--call', 'lint,format=json,ignorestatus=true'], { call: { kind: 'check', format: 'json', ignoreStatus: true } }],
    [['--call=outline'], { call: { kind: 'outline', format: 'text', ignoreStatus: false } }],
    [['--call=targets,format=json'], { call: { kind: 'targets', format: 'json', ignoreStatus: false } }],
    [['--call=build'], { call: undefined }],
    [['--call=subrequests.describe'], { call: { kind: 'describe', format: 'text', ignoreStatus: false } }],
    [['--progress=none'], { progress: 'none', quiet: false }],
    [['--iidfile', 'a', '--metadata-file=b'], { iidfile: 'a', metadataFile: 'b' }],
    [['--load'], { stream: 'load' }],
    [['-o', '-'], { stream: 'stdout' }],
    [['-o', 'x'], { stream: 'none' }],
  ])('%j', (args, expected) => expect(request([...args, '.'])).toMatchObject(expected))

  it('says which flags have no effect', () => {
    expect(request(['--builder', 'x', '--rm', '--compress=false', '.']).notices).toHaveLength(3)
  })
})

describe('build flags refuse', () => {
  it.each<[string[], string | RegExp]>([
    [[], 'requires 1 argument: PATH | URL | -'],
    [['a', 'b'], 'requires 1 argument, but there are 2: a b'],
    [['-f', '-', '-'], "invalid argument: can't use stdin for both build context and dockerfile"],
    [['--secret', 'id=,src', '.'], "invalid field 'src' must be a key=value pair"],
    [['--secret', 'src=x', '.'], 'secret missing ID'],
    [['--secret', 'id=a,path=x', '.'], "unexpected key 'path' in 'path=x'"],
    [['--secret', 'id=a,type=vault', '.'], 'unsupported secret type "vault"'],
    [['--build-arg', '=x', '.'], 'the name is missing'],
    [['--label', '', '.'], 'the name is missing'],
    [['--build-context', 'x', '.'], 'invalid context value: x, expected k=v'],
    [['-o', 'type=zip,dest=x', '.'], 'unsupported output type "zip"'],
    [['-o', 'dest=x,foo=y', '.'], 'type is required for output'],
    [['-o', 'type=oci,foo', '.'], 'invalid value foo'],
    [['-o', '-', '-o', 'type=oci,dest=-', '.'], 'only one output can go to stdout'],
    [['-o', '-', '--load', '.'], 'only one output can go to stdout'],
    [['-q', '-o', '-', '.'], '--quiet prints the image id on stdout'],
    [['--push', '.'], 'tag is needed when pushing to registry'],
    [['--cache-to', 'dest=x', '.'], 'type required for "dest=x"'],
    [['--network', 'bridge', '.'], 'invalid argument "bridge" for --network'],
    [['--allow', 'network.hots', '.'], 'unknown entitlement network.hots'],
    [['--ulimit', 'nofile', '.'], 'invalid ulimit argument: nofile'],
    [['--ulimit', 'nofile=1.5', '.'], 'invalid argument "1.5" for --ulimit: it must be a whole number from -1 up'],
    [['--ulimit', 'nofile=-2', '.'], 'invalid argument "-2" for --ulimit'],
    [['--ulimit', `nofile=${'9'.repeat(30)}`, '.'], 'it must be a whole number'],
    [['--ulimit', 'nofile=:', '.'], 'invalid argument "" for --ulimit'],
    [['--ulimit', 'nofile=1:2:3', '.'], 'too many limit values - 1:2:3, can only have up to two, `soft[:hard]`'],
    [['--resource', 'mem=1g', '.'], 'unknown resources key mem'],
    [['--resource', 'memory', '.'], 'expected key=value'],
    [['--resource', 'cpuset-cpus=a', '.'], 'invalid value "a"'],
    [['--add-host', 'a', '.'], 'bad format for add-host: "a"'],
    [['--add-host', 'a:1.2.3', '.'], 'invalid IP address in add-host: "1.2.3"'],
    [['--add-host', 'a:host-gateway', '.'], "gateway of docker's bridge network"],
    [['--dns', 'x', '.'], 'it must be an IP address'],
    [['--attest', 'mode=max', '.'], 'attestation type not specified'],
    [['--attest', 'foo', '.'], 'invalid value foo for --attest'],
    [['--sbom', '-t', 'f', '.'], 'invalid value -t for --sbom'],
    [['-o', 'type=oci,x', '.'], 'invalid value x for --output'],
    [['--cache-from', 'type=gha,x', '.'], 'invalid value x for --cache-from'],
    [['--output-on-failure', 'type=local,x', '.'], 'invalid value x for --output-on-failure'],
    [['--run-timeout', '0', '.'], 'invalid duration for --run-timeout: "0"'],
    [['--attest', 'type=sbom', '--sbom=true', '.'], 'duplicate attestation field sbom'],
    [['--annotation', 'a', '.'], 'invalid annotation "a", expected key=value'],
    [['--annotation', 'foo:a=b', '.'], 'unknown annotation type "foo"'],
    [['--call', 'chekc', '.'], 'unknown --call method "chekc"'],
    [['--call', 'check,format=xml', '.'], 'unknown format "xml"'],
    [['--call', 'outline,format=sarif', '.'], '--call=outline has no format sarif'],
    [['--check', '--call=outline', '.'], '--check and --call=outline cannot be used together'],
    [['--fix', '.'], '--fix needs --check'],
    [['-q', '--progress=plain', '.'], '--progress=plain and --quiet cannot be used together'],
    [['--mirror', 'x', '.'], 'invalid argument "x" for --mirror'],
    [['--squash', '.'], '--squash is not supported'],
    [['--security-opt', 'x', '.'], '--security-opt is not supported'],
  ])('%j', (args, message) => {
    expect(() => request(args)).toThrow(UsageError)
    expect(() => request(args)).toThrow(message)
  })
})

describe('the table of build flags', () => {
  it('has each name and alias once', () => {
    const names = TABLE.flatMap((flag) => [flag.name, ...(flag.alias ? [flag.alias] : [])])
    expect(names.length).toBe(new Set(names).size)
  })

  it('describes each flag in one sentence without a full stop', () => {
    for (const flag of TABLE) expect(flag.help, flag.name).toMatch(/^[A-Z].*[^.]$/)
  })
})

describe('what would be dropped', () => {
  it.each<[string[], string, string?]>([
    [['--attest', 'type=foo'], 'unknown attestation type "foo"', 'the types are provenance and sbom'],
    [['--attest', 'type=sbon'], 'unknown attestation type "sbon"', 'did you mean sbom?'],
    [
      ['--cache-to', 'type=bogus'],
      'unsupported cache type "bogus" for --cache-to',
      'the types are registry, local, inline, gha, s3, azblob',
    ],
    [['--cache-from', 'type=regisrty'], 'unsupported cache type "regisrty" for --cache-from', 'did you mean registry?'],
    [['--cache-from', 'type=inline'], '--cache-from has no type inline'],
    [['-o', ''], 'invalid value "" for --output: it names nothing'],
    [['--root', ''], 'invalid argument "" for --root: it names no directory'],
  ])('%j is refused', (args, message, hint) => {
    expect(() => request([...args, '.'])).toThrow(
      expect.objectContaining({ message, ...(hint !== undefined && { hint }) }),
    )
  })

  it('of outputs is told where nothing is built', () => {
    const given = ['-o', 'type=docker', '--push', '--load', '--iidfile', 'x', '--metadata-file', 'y', '-t', 'z']
    for (const call of [['--check'], ['--call', 'outline']]) {
      const { notices, options, stream } = request([...given, ...call, '.'])
      expect(notices.map((notice) => notice.split(' ')[0])).toEqual([
        '--output',
        '--push',
        '--load',
        '--iidfile',
        '--metadata-file',
      ])
      expect(options.outputs).toBeUndefined()
      expect(stream).toBe('none')
    }
    expect(request(['--check', '-t', 'z', '.']).notices).toEqual([])
  })

  it('is no limit, and told so', () => {
    expect(request(['--resource', 'pids=0,memory=1g', '.']).notices).toEqual(['--resource: pids 0 sets no limit'])
    expect(request(['-m', '0', '.']).notices).toEqual(['--memory: memory 0 sets no limit'])
  })
})
