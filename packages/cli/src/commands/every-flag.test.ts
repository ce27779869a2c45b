/** No flag is accepted and dropped: driven by the tables that the parser reads, so that a new flag cannot be forgotten. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { build } from '@tsbuild/builder'
import { TestRegistry } from '@tsbuild/registry-client/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { commandFlags } from '../command.ts'
import { BUILD_FLAGS, draftBuild } from '../flags/build/index.ts'
import { resolveBuild } from '../flags/build/resolve.ts'
import { GLOBAL_FLAGS, globalOptions } from '../flags/global.ts'
import { parseArguments } from '../flags/parse.ts'
import { UsageError } from '../usage-error.ts'
import { COMMANDS } from './index.ts'

/** What each build flag is given, and what has to stand beside it. */
const SAMPLES: Readonly<Record<string, string | readonly string[]>> = {
  'add-host': 'a:1.2.3.4',
  allow: 'network.host',
  'allow-secrets-in-layers': 'true',
  annotation: 'a=b',
  attest: 'type=sbom',
  'build-arg': 'A=b',
  'build-context': 'a=b',
  builder: 'x',
  'cache-from': 'x',
  'cache-to': 'x',
  call: 'outline',
  'cgroup-parent': 'x',
  check: 'true',
  compress: 'true',
  'cpu-period': '1000',
  'cpu-quota': '1000',
  'cpu-shares': '2',
  'cpuset-cpus': '0',
  'cpuset-mems': '0',
  'disable-content-trust': 'true',
  dns: '1.1.1.1',
  file: 'x',
  fix: ['true', '--check'],
  'force-rm': 'true',
  iidfile: 'x',
  isolation: 'chroot',
  label: 'a=b',
  load: 'true',
  'lock-file': 'x',
  locked: 'true',
  memory: '1g',
  'memory-swap': '1g',
  'metadata-file': 'x',
  explain: 'true',
  network: 'none',
  'no-cache': 'true',
  'no-lock': 'true',
  'no-cache-filter': 'a',
  'oci-runtime': 'x',
  'on-error': 'keep',
  output: 'x',
  'output-on-failure': 'x',
  platform: 'linux/arm64',
  policy: 'x',
  progress: 'plain',
  provenance: 'true',
  pull: 'true',
  push: ['true', '-tx'],
  quiet: 'true',
  resource: 'memory=1g',
  rm: 'true',
  'run-retries': '1',
  'run-timeout': '1s',
  sbom: 'true',
  secret: 'id=a',
  'security-opt': 'x',
  'shm-size': '1g',
  squash: 'true',
  ssh: 'default',
  'ssh-known-hosts': 'x',
  tag: 'x',
  target: 'x',
  ulimit: 'nofile=1',
}

describe('every build flag', () => {
  const request = (args: readonly string[]): string => {
    const { values, words } = parseArguments([...args, '.'], [...BUILD_FLAGS, ...GLOBAL_FLAGS])
    return JSON.stringify(resolveBuild(draftBuild(values, {}), words, globalOptions(values)))
  }

  it.each(BUILD_FLAGS.map((flag) => flag.name))('--%s changes the request, or says that it does not', (name) => {
    const sample = SAMPLES[name]
    if (sample === undefined) throw new Error(`what does --${name} do? Give it a sample.`)
    const [value, ...others] = [sample].flat()
    try {
      expect(request([`--${name}=${value}`, ...others])).not.toBe(request(others))
    } catch (error) {
      if (!(error instanceof UsageError)) throw error
      expect(error.message).toContain('is not supported')
    }
  })
})

/** What each global flag is given; the others are looked at by whoever runs commands. */
const GLOBAL_SAMPLES: Readonly<Record<string, string | undefined>> = {
  'ca-file': import.meta.filename,
  debug: undefined,
  help: undefined,
  'insecure-registry': 'a:1',
  mirror: 'a=b',
  root: 'x',
}

describe('every global flag', () => {
  const request = (args: readonly string[]): string => {
    const { values, words } = parseArguments([...args, '.'], [...BUILD_FLAGS, ...GLOBAL_FLAGS])
    return JSON.stringify(resolveBuild(draftBuild(values, {}), words, globalOptions(values)))
  }

  it.each(GLOBAL_FLAGS.map((flag) => flag.name))('--%s reaches builds', (name) => {
    if (!(name in GLOBAL_SAMPLES)) throw new Error(`what does --${name} do? Give it a sample.`)
    const value = GLOBAL_SAMPLES[name]
    if (value !== undefined) expect(request([`--${name}=${value}`])).not.toBe(request([]))
  })
})

let dir: string
let registry: TestRegistry
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'tsbuild-flags-'))
  registry = await TestRegistry.start({})
  const dockerfileText = 'FROM scratch\nLABEL a=b\n'
  const options = { root: join(dir, 'root'), context: dir, dockerfileText, env: {} }
  const archive = { type: 'docker', attrs: { dest: join(dir, 'app.tar') } } as const
  await build({ ...options, tags: ['app'], outputs: [{ type: 'image', attrs: {} }, archive] })
  await build({ ...options, tags: [`${registry.host}/app`], outputs: [{ type: 'registry', attrs: {} }] })
})
afterAll(async () => {
  await registry[Symbol.asyncDispose]()
  rmSync(dir, { recursive: true })
})

/** Command lines that lead as far as a command goes, without flags. */
const WORDS: Readonly<Record<string, () => readonly (readonly string[])[]>> = {
  completion: () => [['bash']],
  copy: () => [['store:app', `oci:${dir}/layout:1`]],
  debug: () => [[], ['none']],
  digest: () => [[`${registry.host}/app`]],
  help: () => [[]],
  history: () => [['app']],
  inspect: () => [['app']],
  load: () => [[]],
  login: () => [[registry.host]],
  logout: () => [[registry.host]],
  pull: () => [[`${registry.host}/none`]],
  push: () => [['none']],
  rmi: () => [['none']],
  run: () => [['none']],
  save: () => [['none']],
  tag: () => [['app', 'other']],
  tags: () => [[`${registry.host}/none`]],
}

/** The flags that a command looks at. */
async function flagsRead(name: string, words: readonly string[], given: object): Promise<Set<string>> {
  const read = new Set<string>()
  const values = new Proxy(given, {
    get(target, key) {
      read.add(String(key))
      return Reflect.get(target, key) as unknown
    },
  })
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough().resume(), new PassThrough().resume()]
  stdin.end()
  const { command } = await COMMANDS.find((entry) => entry.name === name)!.load()
  const env = { HOME: dir, DOCKER_CONFIG: join(dir, 'docker'), PATH: process.env.PATH }
  const io = { stdin, stdout, stderr, env, cwd: dir }
  const global = { root: join(dir, 'root'), debug: false }
  const { signal } = new AbortController()
  await command.run({ values, words } as never, { io, signal, global, commands: COMMANDS }).catch(() => 1)
  return read
}

describe('every flag', () => {
  it.each(COMMANDS.map((entry) => entry.name).filter((name) => name !== 'build'))(
    'of %s is looked at',
    async (name) => {
      const { command } = await COMMANDS.find((entry) => entry.name === name)!.load()
      const global = new Set<string>(GLOBAL_FLAGS.map((flag) => flag.name))
      const own = commandFlags(command).filter((flag) => !global.has(flag.name))
      const read = new Set<string>()
      for (const words of WORDS[name]?.() ?? [[]])
        for (const key of await flagsRead(name, words, name === 'load' ? { input: join(dir, 'app.tar') } : {}))
          read.add(key)
      const unread = own.filter((flag) => !read.has(flag.name))
      // What always holds has nothing to look at, and says so.
      const always = unread.filter((flag) => !/no effect|always holds|\(the default/i.test(flag.help))
      expect(always.map((flag) => flag.name)).toEqual([])
    },
  )
})
