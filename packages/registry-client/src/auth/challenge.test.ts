import { describe, expect, it } from 'vitest'
import { parseChallenges } from './challenge.ts'
import { checkRealm } from './realm.ts'
import { coversScopes, mergeScopes } from './scope.ts'

const parsed = (...values: string[]) =>
  parseChallenges(values).map(({ scheme, params }) => [scheme, Object.fromEntries(params)])

describe('challenges', () => {
  it.for([
    ['Basic realm="x"', [['basic', { realm: 'x' }]]],
    [
      'Bearer realm="https://a/t",service="s",scope="repository:a/b:pull,push"',
      [['bearer', { realm: 'https://a/t', service: 's', scope: 'repository:a/b:pull,push' }]],
    ],
    ['bearer REALM=https://a/t , service = "s"', [['bearer', { realm: 'https://a/t', service: 's' }]]],
    [
      'Basic realm="a, b", Bearer realm="c"',
      [
        ['basic', { realm: 'a, b' }],
        ['bearer', { realm: 'c' }],
      ],
    ],
    [
      'Negotiate, Basic realm="x"',
      [
        ['negotiate', {}],
        ['basic', { realm: 'x' }],
      ],
    ],
    ['Basic realm="quo\\"ted"', [['basic', { realm: 'quo"ted' }]]],
    ['', []],
    ['=,=,"', []],
  ] as const)('%s', ([value, expected]) => {
    expect(parsed(value)).toEqual(expected)
  })
})

describe('scopes', () => {
  it('are merged by resource', () => {
    expect(mergeScopes(['repository:a:push,pull', 'repository:a:pull', 'repository:b:pull', ''])).toEqual([
      'repository:a:pull,push',
      'repository:b:pull',
    ])
  })

  it('cover what is within them', () => {
    const held = ['repository:a:pull,push', 'registry:catalog:*']
    expect(coversScopes(held, ['repository:a:pull'])).toBe(true)
    expect(coversScopes(held, ['repository:a:pull,push', 'registry:catalog:*'])).toBe(true)
    expect(coversScopes(held, ['repository:a:delete'])).toBe(false)
    expect(coversScopes(held, ['repository:b:pull'])).toBe(false)
  })
})

describe('realms', () => {
  it.for([
    ['https://auth.example/token', 'https://r.example', true, undefined],
    ['http://auth.example/token', 'https://r.example', false, 'plain http'],
    ['http://127.0.0.1:1/token', 'https://r.example', true, 'plain http'],
    ['file:///etc/passwd', 'https://r.example', false, 'not http'],
    ['/token', 'https://r.example', false, 'not a URL'],
    ['http://r.example:81/token', 'http://r.example', true, undefined],
    ['http://127.0.0.1:81/token', 'http://127.0.0.1:5000', true, undefined],
    ['http://evil.example/token', 'http://127.0.0.1:5000', false, 'another host'],
    ['https://evil.example/token', 'http://127.0.0.1:5000', true, 'another host'],
    ['https://auth.example/token', 'http://127.0.0.1:5000', false, undefined],
  ] as const)('%s of %s (credentials: %s)', ([realm, registry, withCredentials, why]) => {
    const check = () => checkRealm(realm, new URL(registry), withCredentials)
    if (why === undefined) expect(check().href).toContain(new URL(realm).host)
    else expect(check).toThrow(why)
  })
})
