import { describe, expect, it } from 'vitest'
import type { BuildOptions } from '../options.ts'
import { resolveBuildSettings, stateRoot } from './settings.ts'

const env = {}

describe('options', () => {
  it.each<[message: string, options: BuildOptions]>([
    ['invalid tag "Big": ', { tags: ['Big'] }],
    ['invalid extra host "a:not-an-ip"', { addHosts: ['a:not-an-ip'] }],
    ['invalid extra host "a:1.2.3.4\\n6.6.6.6 evil"', { addHosts: ['a:1.2.3.4\n6.6.6.6 evil'] }],
    ['invalid annotation "x", expected key=value', { annotations: ['x'] }],
    ['unknown annotation type "layer", expected manifest or index', { annotations: ['layer:a=b'] }],
    ['invalid platform "linux/": ', { platforms: ['linux/'] }],
    ['--no-cache and --no-cache-filter cannot currently be used together', { noCache: true, noCacheFilter: ['a'] }],
  ])('refuses: %s', (message, options) => {
    expect(() => resolveBuildSettings({ env, ...options })).toThrow(
      expect.objectContaining({ code: 'OPTION_INVALID', message: expect.stringContaining(message) }),
    )
  })

  it('names tags in full, each once', () => {
    expect(resolveBuildSettings({ env, tags: ['app', 'docker.io/library/app:latest', 'h:5000/x:1'] }).tags).toEqual([
      'docker.io/library/app:latest',
      'h:5000/x:1',
    ])
  })

  it('parts annotations by where they go', () => {
    const { annotations } = resolveBuildSettings({ env, annotations: ['a=1', 'index:b=2', 'index,manifest:c=3=4'] })
    expect(annotations).toEqual({ manifest: { a: '1', c: '3=4' }, index: { b: '2', c: '3=4' } })
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
