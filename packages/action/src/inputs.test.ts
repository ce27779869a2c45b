import { describe, expect, it } from 'vitest'
import { FLAG_INPUTS, OWN_INPUTS, readInputs } from './inputs.ts'
import { parseList } from './list.ts'
import { commandText, Runner } from './runner.ts'
import { readAction } from './step.test-support.ts'

const GITHUB = { GITHUB_REPOSITORY: 'owner/repo', GITHUB_SHA: 'a'.repeat(40), GITHUB_REF: 'refs/heads/main' }

function read(inputs: Readonly<Record<string, string>>, env: Readonly<Record<string, string>> = {}) {
  const named = Object.entries(inputs).map(([name, value]) => [`INPUT_${name.toUpperCase()}`, value])
  let log = ''
  const runner = new Runner({ ...Object.fromEntries(named), ...env }, (text) => {
    log += text
  })
  const { build } = readInputs(runner, '/work')
  const { env: _, ...options } = build.options
  return { options, request: build, log }
}

/** Each input, and what has to be seen of it: in the options, elsewhere in the request, or in the log. */
const TABLE: Readonly<Record<string, readonly [value: string, seen: object | string]>> = {
  'add-hosts': ['a:1.2.3.4,b:1.2.3.5', { options: { addHosts: ['a:1.2.3.4', 'b:1.2.3.5'] } }],
  allow: ['network.host\nsecurity.insecure', { options: { allow: ['network.host', 'security.insecure'] } }],
  annotations: ['a=b,c\nindex:d=e', { options: { annotations: ['a=b,c', 'index:d=e'] } }],
  attests: ['type=sbom', { options: { attests: ['type=sbom'] } }],
  'build-args': ['A=1,2\nB', { options: { buildArgs: { A: '1,2' } } }],
  'build-contexts': [
    'a={{defaultContext}}:sub',
    { options: { buildContexts: { a: expect.stringMatching(/repo\.git#a+:sub$/) } } },
  ],
  builder: ['mine', '::notice::the input builder is not needed'],
  'cache-from': [
    'type=gha,scope=x\nuser/app:cache',
    { options: { cacheFrom: [{ type: 'gha' }, { type: 'registry', attrs: { ref: 'user/app:cache' } }] } },
  ],
  'cache-to': ['type=local,dest=/c', { options: { cacheTo: [{ type: 'local', attrs: { dest: '/c' } }] } }],
  call: ['check', { request: { call: { kind: 'check' } } }],
  'cgroup-parent': ['/ci', { options: { cgroupParent: '/ci' } }],
  context: ['sub', { options: { context: 'sub' } }],
  file: ['a/Dockerfile', { options: { dockerfile: 'a/Dockerfile' } }],
  'github-token': ['t', { options: { secrets: [{ id: 'GIT_AUTH_TOKEN.github.com', value: 't' }] } }],
  labels: ['a=b,c\nd', { options: { labels: { a: 'b,c', d: '' } } }],
  load: ['true', { request: { stream: 'load' } }],
  network: ['none', { options: { network: 'none' } }],
  'no-cache': ['True', { options: { noCache: true } }],
  'no-cache-filters': ['a,b', { options: { noCacheFilter: ['a', 'b'] } }],
  outputs: [
    'type=oci,"dest=a,b.tar"\ntype=local,dest=o',
    { options: { outputs: [{ attrs: { dest: 'a,b.tar' } }, { type: 'local' }] } },
  ],
  platforms: ['linux/amd64,linux/arm64', { options: { platforms: ['linux/amd64', 'linux/arm64'] } }],
  provenance: ['mode=max', { options: { attests: ['type=provenance,mode=max'] } }],
  pull: ['true', { options: { pull: true } }],
  push: ['true', { options: { outputs: [{ type: 'registry' }] } }],
  sbom: ['true', { options: { attests: ['type=sbom'] } }],
  secrets: ['"a=1\n2"', { options: { secrets: [{ id: 'a', value: '1\n2' }] } }],
  'secret-envs': [
    'a=A,b=B',
    {
      options: {
        secrets: [
          { id: 'a', env: 'A' },
          { id: 'b', env: 'B' },
        ],
      },
    },
  ],
  'secret-files': ['a=f', { options: { secrets: [{ id: 'a', src: '/work/f' }] } }],
  'shm-size': ['1m', { options: { shmSize: 1 << 20 } }],
  ssh: ['default', { options: { ssh: [{ id: 'default' }] } }],
  tags: ['a:1,b:2\nc', { options: { tags: ['a:1', 'b:2', 'c'] } }],
  target: ['test', { options: { target: 'test' } }],
  ulimit: ['nofile=1:2', { options: { ulimits: [{ name: 'nofile', soft: 1, hard: 2 }] } }],
}

describe('the inputs of action.yml', () => {
  it('are those that are read, each with a row in this table', async () => {
    const names = Object.keys((await readAction('action.yml')).inputs).sort()
    expect(names).toEqual(Object.keys(TABLE).sort())
    expect(names).toEqual([...Object.keys(FLAG_INPUTS), ...OWN_INPUTS, 'builder'].sort())
  })

  it.each(Object.entries(TABLE))('%s has its effect', (name, [value, seen]) => {
    const more: Record<string, string> = name === 'push' ? { tags: 'a' } : {}
    const without = read(more, GITHUB)
    const found = read({ ...more, [name]: value }, GITHUB)
    if (typeof seen === 'string') expect(found.log).toContain(seen)
    else expect(found).toMatchObject(seen)
    expect(JSON.stringify({ ...found, request: { ...found.request, options: {} } })).not.toBe(
      JSON.stringify({ ...without, request: { ...without.request, options: {} } }),
    )
  })

  it('are refused where they are wrong', () => {
    expect(() => read({ push: 'yes' })).toThrow('the input push is "yes"')
    expect(() => read({ context: '-' })).toThrow('stdin')
    expect(() => read({ context: '.', outputs: 'type=tar,dest=-' })).toThrow('cannot go to stdout')
    expect(() => read({ context: '.', 'secret-envs': 'A' })).toThrow('not ID=VARIABLE')
  })

  it('are told from others', () => {
    expect(read({ tag: 'a' }).log).toBe('::warning::the input tag is not known; did you mean tags?\n')
    expect(read({ 'buildkitd-flags': '--debug' }).log).toMatch(/^::notice::the input buildkitd-flags is not needed/)
  })
})

describe('lists', () => {
  it.each<[text: string, commas: boolean, items: string[]]>([
    ['a\n\n b \r\nc', false, ['a', 'b', 'c']],
    ['a,b\nc', true, ['a', 'b', 'c']],
    ['a,b\nc', false, ['a,b', 'c']],
    ['"a,b",c', true, ['a,b', 'c']],
    ['"K=one\ntwo"\nL=1', false, ['K=one\ntwo', 'L=1']],
    ['"say ""hi"""', false, ['say "hi"']],
    ['A="x y"', false, ['A="x y"']],
    ['"x" y', false, ['"x" y']],
    [',,', true, []],
  ])('%j', (text, commas, items) => expect(parseList('x', text, { commas })).toEqual(items))

  it('a quote has an end', () => expect(() => parseList('x', '"a\nb', { commas: true })).toThrow('not closed'))
})

describe('commands', () => {
  it('end where they are meant to', () => {
    expect(commandText('warning', { file: 'a:b,c\n', line: 1, title: undefined }, '50%\n::x::')).toBe(
      '::warning file=a%3Ab%2Cc%0A,line=1::50%25%0A::x::\n',
    )
  })
})
