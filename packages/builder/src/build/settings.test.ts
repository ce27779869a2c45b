import { RegistryError } from '@tsbuild/registry-client'
import { describe, expect, it } from 'vitest'
import type { BuildOptions } from '../options.ts'
import { asBuildError, resolveBuildSettings, stateRoot } from './settings.ts'

const env = {}

describe('options', () => {
  it.each<[message: string, options: BuildOptions]>([
    ['invalid tag "Big": ', { tags: ['Big'] }],
    ['invalid extra host "a:not-an-ip"', { addHosts: ['a:not-an-ip'] }],
    ['invalid extra host "a:1.2.3.4\\n6.6.6.6 evil"', { addHosts: ['a:1.2.3.4\n6.6.6.6 evil'] }],
    ['invalid annotation "x", expected key=value', { annotations: ['x'] }],
    [
      'unknown annotation type "layer", expected manifest, manifest-descriptor, index, index-descriptor',
      { annotations: ['layer:a=b'] },
    ],
    ['invalid platform "linux/": ', { platforms: ['linux/'] }],
    ['--no-cache and --no-cache-filter cannot currently be used together', { noCache: true, noCacheFilter: ['a'] }],
  ])('refuses: %s', (message, options) => {
    expect(() => resolveBuildSettings({ env, ...options })).toThrow(
      expect.objectContaining({ code: 'OPTION_INVALID', message: expect.stringContaining(message) }),
    )
  })

  it('warns of secrets from variables that are not set, before a RUN asks for them', () => {
    const secrets = [
      { id: 'a', env: 'NOPE' },
      { id: 'b', env: 'EMPTY' },
    ]
    expect(resolveBuildSettings({ env: { EMPTY: '' }, secrets }).warnings).toEqual([
      'secret a is not offered: the environment variable NOPE is not set',
    ])
  })

  it('names tags in full, each once', () => {
    expect(resolveBuildSettings({ env, tags: ['app', 'docker.io/library/app:latest', 'h:5000/x:1'] }).tags).toEqual([
      'docker.io/library/app:latest',
      'h:5000/x:1',
    ])
  })

  it('parts annotations by where they go', () => {
    const platforms = ['linux/amd64', 'linux/arm64']
    const texts = ['a=1', 'index:b=2', 'index,manifest-descriptor[linux/aarch64]:c=3=4', 'urn:x=5']
    const { annotations } = resolveBuildSettings({ env, platforms, tags: ['x'], annotations: texts.slice(0, 3) })
    expect(annotations).toEqual([
      { target: 'manifest', platform: undefined, key: 'a', value: '1' },
      { target: 'index', platform: undefined, key: 'b', value: '2' },
      { target: 'index', platform: undefined, key: 'c', value: '3=4' },
      { target: 'manifest-descriptor', platform: 'linux/arm64', key: 'c', value: '3=4' },
    ])
    for (const text of ['no-value', 'manifest:=x', texts[3]!, 'manifest[x:a=b'])
      expect(() => resolveBuildSettings({ env, annotations: [text] })).toThrow(
        expect.objectContaining({ code: 'OPTION_INVALID' }),
      )
  })

  it('says which annotations have no place', () => {
    const one = { env, platforms: ['linux/amd64'] }
    expect(() => resolveBuildSettings({ ...one, tags: ['x'], annotations: ['index:a=b'] })).toThrow(
      'index annotations not supported for single platform export',
    )
    expect(resolveBuildSettings({ ...one, annotations: ['a=b'] }).warnings).toEqual([
      'annotations have no effect: no output is an image',
    ])
    expect(resolveBuildSettings({ ...one, tags: ['x'], annotations: ['manifest[linux/arm64]:a=b'] }).warnings).toEqual([
      'annotations for linux/arm64 have no effect: it is not built',
    ])
  })

  it('drops the version of an operating system; a platform that is given twice stays so', () => {
    const { platforms } = resolveBuildSettings({
      env,
      platforms: ['windows(10.0.20348)/amd64', 'windows/amd64', 'linux/arm'],
    })
    expect(platforms).toEqual([
      { os: 'windows', architecture: 'amd64' },
      { os: 'windows', architecture: 'amd64' },
      { os: 'linux', architecture: 'arm', variant: 'v7' },
    ])
  })
})

it.each([
  [{ TSBUILD_ROOT: '/a', XDG_DATA_HOME: '/b', HOME: '/c' }, '/a'],
  [{ XDG_DATA_HOME: '/b', HOME: '/c' }, '/b/tsbuild'],
  [{ HOME: '/c' }, '/c/.local/share/tsbuild'],
])('keeps state by %j in %s', (variables, root) => {
  expect(stateRoot(undefined, variables)).toBe(root)
  expect(stateRoot('/x', variables)).toBe('/x')
})

describe('what the system refuses', () => {
  const failed = (code: string, errno: number, path?: string) =>
    Object.assign(new Error(`${code}: write`), { code, errno, syscall: 'write', ...(path !== undefined && { path }) })

  it.each([
    [failed('EACCES', -13, '/root/records/x'), 'STORE_UNWRITABLE', 'cannot use /root/records/x: permission denied'],
    [failed('EACCES', -13, '/rooted/x'), 'SYSTEM_ERROR', '/rooted/x: permission denied'],
    [failed('ENOSPC', -28), 'STORE_UNWRITABLE', 'cannot use a file: no space left on device'],
    [failed('EPIPE', -32), 'SYSTEM_ERROR', 'write: broken pipe'],
  ])('%s is %s', (error, code, message) => {
    expect(asBuildError(error, { root: '/root' })).toMatchObject({ code, message, cause: error })
  })

  it('are told by their class, not by what they call themselves', () => {
    const ofNode = Object.assign(new TypeError('The "path" argument'), { code: 'ERR_INVALID_ARG_TYPE' })
    expect(asBuildError(ofNode)).toMatchObject({ code: 'INTERNAL', cause: ofNode })
    const imitated = Object.assign(new Error('x'), { name: 'RegistryError', code: 'NOT_FOUND' })
    expect(asBuildError(imitated)).toMatchObject({ code: 'INTERNAL' })
    const real = new RegistryError('NOT_FOUND', 'x: not found', { hint: 'look' })
    expect(asBuildError(real)).toMatchObject({ code: 'NOT_FOUND', message: 'x: not found', hint: 'look' })
  })

  it.each([
    ['ENOSPC', /tsbuild prune.*--root/],
    ['EDQUOT', /tsbuild prune.*--root/],
    ['EROFS', /^(?!.*prune).*--root/],
    ['EACCES', /^(?!.*prune).*this user.*--root/],
    ['EPERM', /^(?!.*prune).*this user.*--root/],
    ['EIO', /^(?!.*prune).*--root/],
  ])('the hint fits %s', (code, hint) => {
    expect(asBuildError(failed(code, -1, '/root/x'), { root: '/root' }).hint).toMatch(hint)
  })
})
