import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import {
  BuildError,
  build,
  check,
  debug,
  diagnose,
  diskUsage,
  keptRootfs,
  openImages,
  outline,
  type ProgressEvent,
  prune,
  runImage,
  targets,
} from '../index.ts'
import { checkOptions } from './option-schema.ts'

const directory = mkdtempSync(join(tmpdir(), 'tsbuild-options-'))
afterAll(() => rmSync(directory, { recursive: true }))

const refusal = (call: () => unknown): BuildError => {
  try {
    call()
  } catch (error) {
    if (error instanceof BuildError) return error
    throw error
  }
  throw new Error('it was accepted')
}

describe('options', () => {
  it.each<[options: unknown, message: string]>([
    [undefined, 'options: expected an object, not undefined'],
    [null, 'options: expected an object, not null'],
    ['x', 'options: expected an object, not a string'],
    [[], 'options: expected an object, not an array'],
    [{ tag: 'x' }, 'unknown option "tag"'],
    [{ tags: 'x' }, 'tags: expected an array, not a string'],
    [{ tags: ['x', 5] }, 'tags[1]: expected a string, not 5'],
    [{ context: 5 }, 'context: expected a path or a file: URL, not 5'],
    [{ context: '' }, 'context: expected a path or a file: URL, not an empty string'],
    [{ context: 'a\0b' }, 'context: a path cannot hold a NUL character'],
    [{ root: new URL('http://example.com/') }, 'root: expected a path or a file: URL, not a URL'],
    [{ root: new URL('file://other/x') }, 'root: expected a file: URL of this machine, not a URL'],
    [{ cwd: 1 }, 'cwd: expected a path or a file: URL, not 1'],
    [{ buildArgs: { A: 1 } }, 'buildArgs["A"]: expected a string, not 1'],
    [{ buildArgs: ['A=1'] }, 'buildArgs: expected an object, not an array'],
    [{ labels: { a: null } }, 'labels["a"]: expected a string, not null'],
    [{ outputs: {} }, 'outputs: expected an array, not an object'],
    [{ outputs: ['type=oci'] }, 'outputs[0]: expected an object, not a string'],
    [{ outputs: [{ typ: 'oci' }] }, 'outputs[0]: unknown option "typ"'],
    [{ outputs: [{ type: 'oci', attrs: { dest: 5 } }] }, 'outputs[0].attrs["dest"]: expected a string, not 5'],
    [{ noCache: 'yes' }, 'noCache: expected a boolean, not a string'],
    [{ network: 'bridge' }, 'network: expected one of "default", "none", "host", "isolated", not "bridge"'],
    [{ resources: { memorySwap: 100 } }, 'you should always set the memory limit when using memory-swap'],
    [
      { resources: { cpuPeriod: 1 } },
      'CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)',
    ],
    [{ secrets: [{ id: 'a' }] }, 'secrets[0]: expected one of src, env, value and get'],
    [{ secrets: [{ id: 'a', value: 5 }] }, 'secrets[0].value: expected a string or a Uint8Array, not 5'],
    [{ secrets: [{ src: 'a' }] }, 'secrets[0].id: expected a string, not undefined'],
    [{ sshKnownHosts: 'x' }, 'sshKnownHosts: expected an array, not a string'],
    [{ caFiles: [5] }, 'caFiles[0]: expected a path or a file: URL, not 5'],
    [{ insecureRegistries: 'x' }, 'insecureRegistries: expected an array, not a string'],
    [{ ssh: ['default'] }, 'ssh[0]: expected an object, not a string'],
    [
      { ulimits: [{ name: 'nofile', soft: 1.5, hard: 2 }] },
      'ulimits[0].soft: expected a whole number from -1 up, not 1.5',
    ],
    [{ ulimits: [{ name: 'files', soft: 1, hard: 1 }] }, 'invalid ulimit type: files'],
    [{ ulimits: [{ name: 'as', soft: 1, hard: 1 }] }, 'invalid ulimit type: as'],
    [
      { ulimits: [{ name: 'nofile', soft: 50, hard: 49 }] },
      'ulimit soft limit must be less than or equal to hard limit: 50 > 49',
    ],
    [
      { ulimits: [{ name: 'nofile', soft: 0, hard: 0 }] },
      'ulimit nofile=0:0: no process can be started with fewer than 16 open files',
    ],
    [{ ulimits: [{ name: 'cpu', soft: 0, hard: -1 }] }, 'ulimit cpu=0:-1: no process can run without any CPU time'],
    [
      { ulimits: [{ name: 'nofile', soft: 5000, hard: Number.MAX_SAFE_INTEGER }] },
      'ulimit nofile=5000:9007199254740991 is above what this machine permits',
    ],
    [{ shmSize: -1 }, 'shmSize: expected a whole number from 0 up, not -1'],
    [{ cgroupParent: '../x' }, 'cgroup parent "../x" must not have ".." in it'],
    [{ cgroupParent: '/a/../../x' }, 'cgroup parent "/a/../../x" must not have ".." in it'],
    [{ cgroupParent: 'a\0b' }, 'cgroupParent: a path cannot hold a NUL character'],
    [{ resources: { memory: '1g' } }, 'resources.memory: expected a whole number from 0 up, not a string'],
    [{ resources: { mem: 1 } }, 'resources: unknown option "mem"'],
    [{ runTimeout: 0 }, 'runTimeout: expected a number of milliseconds above 0, not 0'],
    [{ runTimeout: Number.NaN }, 'runTimeout: expected a number of milliseconds above 0, not NaN'],
    [{ signal: {} }, 'signal: expected an AbortSignal, not an object'],
    [{ onProgress: 'x' }, 'onProgress: expected a function, not a string'],
    [{ stdout: {} }, 'stdout: expected a writable stream, not an object'],
    [{ env: { A: 5 } }, 'env["A"]: expected a string, not 5'],
    [{ ociRuntime: 5 }, 'ociRuntime: expected a path or a file: URL, not 5'],
  ])('%j are refused', (options, message) => {
    expect(refusal(() => checkOptions('build', options))).toMatchObject({ code: 'OPTION_INVALID', message })
  })

  it.each(['labels', 'buildArgs', 'buildContexts', 'env', 'mirrors', 'resources'])('%s is a plain object', (name) => {
    const inherited: unknown = Object.create({ a: 'b' })
    for (const [value, shown] of [
      [new Map([['a', 'b']]), 'a Map'],
      [new URLSearchParams('a=b'), 'a URLSearchParams'],
      [new (class Labels {})(), 'a Labels'],
      [inherited, 'an object'],
    ])
      expect(refusal(() => checkOptions('build', { [name]: value }))).toMatchObject({
        code: 'OPTION_INVALID',
        message: `${name}: expected a plain object, not ${shown}`,
      })
    expect(() => checkOptions('build', { [name]: Object.create(null) })).not.toThrow()
  })

  it.each(['build', 'run'] as const)('of %s that stand for the usual are as good as absent', (call) => {
    const needed = call === 'run' ? { image: 'x', stdout: process.stdout, stderr: process.stderr } : {}
    const checked = checkOptions(call, { ...needed, shmSize: 0, cgroupParent: '', ulimits: [] })
    expect(checked).not.toHaveProperty('shmSize')
    expect(checked).not.toHaveProperty('cgroupParent')
    expect(refusal(() => checkOptions(call, { ...needed, cgroupParent: '..' })).code).toBe('OPTION_INVALID')
  })

  it('may be the environment of the process', () => {
    expect(checkOptions('build', { env: process.env }).env).toEqual({ ...process.env })
    expect(refusal(() => checkOptions('build', new Map([['context', '.']]))).code).toBe('OPTION_INVALID')
    expect(refusal(() => checkOptions('build', { annotations: new Map() })).message).toBe(
      'annotations: expected an array, not a Map',
    )
  })

  it('that are missing are told with what is needed', () => {
    expect(refusal(() => checkOptions('run', { image: 'x' })).message).toBe(
      'stdout: expected a writable stream, not undefined',
    )
  })

  it.each(['started', 'progress', 'done'])(
    'a listener that throws at %s ends the call by its own error',
    async (type) => {
      const boo = new Error('boo')
      let calls = 0
      const onProgress = (event: ProgressEvent) => {
        if (event.type !== type) return
        calls++
        throw boo
      }
      writeFileSync(join(directory, 'some-file'), 'x')
      const options = { root: join(directory, 'store'), context: directory, onProgress, noCache: true }
      await expect(build({ ...options, dockerfileText: 'FROM scratch\nCOPY some-file /\n' })).rejects.toMatchObject({
        code: 'CALLBACK_FAILED',
        message: 'onProgress threw: boo',
        cause: boo,
      })
      expect(calls).toBe(1)
    },
  )

  it('a listener that throws ends a call at once, whether or not the caller gave a signal', async () => {
    for (const given of [new AbortController(), undefined]) {
      // Waits for the end of the call, which nothing else brings.
      const get = (signal: AbortSignal) =>
        new Promise<string>((_, reject) => {
          if (signal.aborted) reject(signal.reason)
          signal.addEventListener('abort', () => reject(signal.reason))
        })
      const dockerfileText = 'FROM scratch\nRUN --mount=type=secret,id=s,required x\n'
      const onProgress = (event: ProgressEvent) => {
        if (event.type === 'started' && event.vertex.name.includes('RUN')) throw new Error('boo')
      }
      const options = { root: join(directory, 'store'), context: directory, noCache: true, dockerfileText, onProgress }
      const secrets = [{ id: 's', get }]
      const failing = build({ ...options, secrets, ...(given && { signal: given.signal }) })
      await expect(failing).rejects.toMatchObject({ code: 'CALLBACK_FAILED', message: 'onProgress threw: boo' })
      expect(given?.signal.aborted ?? false).toBe(false)
    }
  })

  it('that are mistyped are known again', () => {
    expect(refusal(() => checkOptions('build', { tag: [] })).hint).toBe('did you mean tags?')
    expect(refusal(() => checkOptions('run', { image: 'x', volume: [] })).hint).toBe('did you mean volumes?')
  })

  it('of one call are not those of another', () => {
    expect(checkOptions('open', { readOnly: true })).toEqual({ readOnly: true })
    expect(refusal(() => checkOptions('store', { readOnly: true })).code).toBe('OPTION_INVALID')
  })

  it('never say what a text is', () => {
    const { message } = refusal(() => checkOptions('build', { secrets: [{ id: 'a', value: ['hunter2'] }] }))
    expect(message).not.toContain('hunter2')
  })

  it('have paths that count from cwd, whatever they are', () => {
    const cwd = pathToFileURL('/base/')
    const { context, dockerfile, root, buildContexts, secrets, ssh, outputs, ociRuntime } = checkOptions('build', {
      cwd,
      context: 'ctx',
      dockerfile: new URL('file:///d/My%20Dockerfile'),
      root: '../state',
      buildContexts: {
        dir: 'x',
        image: 'docker-image://alpine',
        stage: 'target:y',
        remote: new URL('https://example.com/a.git'),
        layout: 'oci-layout://l:v1@sha256:00',
      },
      secrets: [{ id: 'a', src: 's' }],
      ssh: [{ id: 'default', paths: ['k'] }],
      outputs: [
        { type: 'oci', attrs: { dest: 'out.tar', name: 'n' } },
        { type: 'tar', attrs: { dest: '-' } },
        { type: 'local', attrs: { dest: pathToFileURL('/o') } },
        { type: 'cacheonly' },
      ],
      ociRuntime: 'crun',
    })
    expect({ context, dockerfile, root, buildContexts, secrets, ssh, outputs, ociRuntime }).toEqual({
      context: '/base/ctx',
      dockerfile: '/d/My Dockerfile',
      root: '/state',
      buildContexts: {
        dir: '/base/x',
        image: 'docker-image://alpine',
        stage: 'target:y',
        remote: 'https://example.com/a.git',
        layout: 'oci-layout:///base/l:v1@sha256:00',
      },
      secrets: [{ id: 'a', src: '/base/s' }],
      ssh: [{ id: 'default', paths: ['/base/k'] }],
      outputs: [
        { type: 'oci', attrs: { dest: '/base/out.tar', name: 'n' } },
        { type: 'tar', attrs: { dest: '-' } },
        { type: 'local', attrs: { dest: '/o' } },
        { type: 'cacheonly', attrs: {} },
      ],
      ociRuntime: 'crun',
    })
    expect(checkOptions('build', { cwd, ociRuntime: './crun' }).ociRuntime).toBe('/base/crun')
    expect(checkOptions('build', { cwd, caFiles: ['ca'], sshKnownHosts: ['hosts'] })).toMatchObject({
      caFiles: ['/base/ca'],
      sshKnownHosts: ['/base/hosts'],
    })
    expect(
      checkOptions('run', { cwd, image: 'x', stdout: process.stdout, stderr: process.stderr, caFiles: ['ca'] }),
    ).toMatchObject({ caFiles: ['/base/ca'] })
    expect(checkOptions('build', { cwd }).context).toBe('/base')
    expect(checkOptions('build', { cwd, context: '-', dockerfile: '-' })).toMatchObject({
      context: '-',
      dockerfile: '-',
    })
  })

  it('leave the Dockerfile of a context that is fetched where it is', () => {
    for (const context of [
      'https://example.com/r.git#main:sub',
      new URL('https://example.com/x.tar'),
      'git@example.com:r.git',
    ])
      expect(checkOptions('build', { context, dockerfile: 'docker/Dockerfile' }).dockerfile).toBe('docker/Dockerfile')
  })

  it('are the same when the process goes elsewhere meanwhile', async () => {
    const [context, elsewhere] = [join(directory, 'context'), join(directory, 'elsewhere')]
    for (const path of [context, elsewhere]) mkdirSync(path)
    writeFileSync(join(context, 'Dockerfile'), 'FROM scratch\nCOPY a /\n')
    writeFileSync(join(context, 'a'), '1')
    const options = {
      cwd: directory,
      context: 'context',
      root: 'root',
      outputs: [{ type: 'oci', attrs: { dest: 'out.tar' } }],
    }
    const building = build(options as Parameters<typeof build>[0])
    const { outputs } = await building
    expect(outputs).toEqual([expect.objectContaining({ type: 'oci', dest: join(directory, 'out.tar') })])
  })
})

describe('every call', () => {
  const calls: Readonly<Record<string, (options: never) => Promise<unknown>>> = {
    build,
    check,
    outline,
    targets,
    runImage,
    debug,
    diagnose,
    diskUsage,
    keptRootfs,
    openImages,
    prune,
  }
  it.each(Object.keys(calls))('of %s refuses what it does not know', async (name) => {
    for (const options of [{ bogus: 1 }, null, 'x', { root: 5 }, { env: 5 }])
      await expect(calls[name]!(options as never)).rejects.toMatchObject({ code: 'OPTION_INVALID' })
  })
})
