import { chmod, readFile, stat, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { temporaryDirectory } from '../testing/temporary.ts'
import { configCredentials, defaultCredentials, parseDockerConfig } from './docker-config.ts'
import { eraseCredentials, storeCredentials } from './login.ts'

const auth = (user: string, password: string) => Buffer.from(`${user}:${password}`).toString('base64')

describe('credentials of a docker config', () => {
  const config = parseDockerConfig(
    JSON.stringify({
      auths: {
        'https://index.docker.io/v1/': { auth: auth('hub', 'p:w') },
        'r.example': { auth: auth('host', 'x') },
        'r.example/team': { auth: auth('team', 'x') },
        'r.example/team/app': { username: 'app', password: 'y' },
        'https://schemed.example/v2/': { auth: auth('schemed', 'x') },
        'token.example': { auth: auth('<token>', ''), identitytoken: 'refresh' },
        'bearer.example': { registrytoken: 'abc' },
        'empty.example': {},
        'broken.example': { auth: '!' },
        'port.example:5000': { auth: auth('port', 'x') },
      },
    }),
    'config.json',
  )

  it.for([
    ['docker.io', 'library/x', { username: 'hub', password: 'p:w' }],
    ['r.example', 'other', { username: 'host', password: 'x' }],
    ['r.example', 'team/other', { username: 'team', password: 'x' }],
    ['r.example', 'team/app', { username: 'app', password: 'y' }],
    ['r.example', 'teamwork', { username: 'host', password: 'x' }],
    ['schemed.example', 'x', { username: 'schemed', password: 'x' }],
    ['token.example', 'x', { username: '<token>', identityToken: 'refresh' }],
    ['bearer.example', 'x', { registryToken: 'abc' }],
    ['empty.example', 'x', undefined],
    ['broken.example', 'x', undefined],
    ['port.example:5000', 'x', { username: 'port', password: 'x' }],
    ['port.example', 'x', undefined],
    ['unknown.example', 'x', undefined],
  ] as const)('%s/%s', async ([registry, repository, expected]) => {
    expect(await configCredentials(config, {})({ registry, repository })).toEqual(expected)
  })

  it('never shows the file in an error', () => {
    expect(() => parseDockerConfig('{"auths": {"x": {"auth": "c2VjcmV0OnNlY3JldA=="', 'config.json')).toThrow(
      /^config\.json: not valid JSON$/,
    )
  })

  it('are found in the environment, the docker file and the podman file, in this order', async () => {
    const entry = (user: string) =>
      JSON.stringify({
        auths: { 'r.example': { auth: auth(user, 'x') }, [`${user}.example`]: { auth: auth(user, 'x') } },
      })
    await using home = await temporaryDirectory({
      '.docker/config.json': entry('docker'),
      '.config/containers/auth.json': entry('podman'),
    })
    const find = async (registry: string, env: Record<string, string>) =>
      (await defaultCredentials({ HOME: home.path, ...env })({ registry }))?.username
    expect(await find('r.example', {})).toBe('docker')
    expect(await find('podman.example', {})).toBe('podman')
    expect(await find('r.example', { DOCKER_AUTH_CONFIG: entry('inline') })).toBe('inline')
    expect(await find('docker.example', { DOCKER_AUTH_CONFIG: entry('inline') })).toBe('docker')
    expect(await find('r.example', { DOCKER_CONFIG: '/nonexistent' })).toBe('podman')
  })
})

const helper = `#!/bin/sh
read -r line || true
case "$1" in
  get)
    case "$line" in
      none.example) echo "credentials not found in native keychain"; exit 1;;
      bad.example) echo "keychain is locked" >&2; exit 1;;
      junk.example) echo "not json"; exit 0;;
      token.example) echo '{"Username":"<token>","Secret":"refresh"}';;
      *) printf '{"ServerURL":"%s","Username":"helped","Secret":"by-%s"}' "$line" "$line";;
    esac;;
  *) printf '%s %s\\n' "$1" "$line" >> "$HELPER_LOG";;
esac
`

async function withHelper(config: object) {
  const folder = await temporaryDirectory({ 'docker-credential-test': helper, 'config.json': JSON.stringify(config) })
  await chmod(join(folder.path, 'docker-credential-test'), 0o755)
  const log = join(folder.path, 'log')
  const env = { PATH: `${folder.path}:/usr/bin:/bin`, DOCKER_CONFIG: folder.path, HELPER_LOG: log }
  return {
    env,
    path: folder.path,
    log: () => readFile(log, 'utf8'),
    [Symbol.asyncDispose]: folder[Symbol.asyncDispose],
  }
}

describe('credential helpers', () => {
  it('are run', async () => {
    await using it = await withHelper({
      credHelpers: { 'r.example': 'test' },
      credsStore: 'test',
      auths: { 'file.example': { auth: auth('file', 'x') } },
    })
    const find = defaultCredentials(it.env)
    expect(await find({ registry: 'r.example', repository: 'a/b' })).toEqual({
      username: 'helped',
      password: 'by-r.example',
    })
    expect(await find({ registry: 'docker.io' })).toEqual({
      username: 'helped',
      password: 'by-https://index.docker.io/v1/',
    })
    expect(await find({ registry: 'file.example' })).toEqual({ username: 'file', password: 'x' })
    expect(await find({ registry: 'none.example' })).toBeUndefined()
    expect(await find({ registry: 'token.example' })).toEqual({ identityToken: 'refresh' })
    await expect(find({ registry: 'bad.example' })).rejects.toThrow(
      'docker-credential-test: get failed with exit code 1: keychain is locked',
    )
    await expect(find({ registry: 'junk.example' })).rejects.toMatchObject({ code: 'CREDENTIAL_HELPER' })
  })

  it('that are missing or misnamed are named', async () => {
    await using it = await withHelper({ credHelpers: { 'a.example': 'nosuch', 'b.example': '../../bin/sh' } })
    const find = defaultCredentials(it.env)
    await expect(find({ registry: 'a.example' })).rejects.toThrow(
      'docker-credential-nosuch: the program is not in PATH',
    )
    await expect(find({ registry: 'b.example' })).rejects.toThrow('not a valid name')
  })

  it('keep what is logged in with', async () => {
    await using it = await withHelper({ credsStore: 'test', other: 1 })
    expect(await storeCredentials('r.example', { username: 'u', password: 's3cret' }, { env: it.env })).toMatchObject({
      helper: 'test',
      key: 'r.example',
    })
    expect(await it.log()).toBe('store {"ServerURL":"r.example","Username":"u","Secret":"s3cret"}\n')
    const written = await readFile(join(it.path, 'config.json'), 'utf8')
    expect(JSON.parse(written)).toEqual({ credsStore: 'test', other: 1, auths: { 'r.example': {} } })
    await eraseCredentials('r.example', { env: it.env })
    expect(await it.log()).toContain('erase r.example\n')
  })
})

describe('login and logout', () => {
  it('write what docker reads, and keep the rest of the file', async () => {
    await using home = await temporaryDirectory({
      'real.json': JSON.stringify({
        psFormat: 'x',
        auths: { 'https://r.example/v2/': { auth: 'old' }, 'other.example': { auth: 'kept' } },
      }),
    })
    await symlink(join(home.path, 'real.json'), join(home.path, 'config.json'))
    const options = { env: {}, dockerConfig: home.path }
    const file = join(home.path, 'config.json')
    expect(await storeCredentials('r.example', { username: 'u', password: 'p:ä' }, options)).toEqual({
      key: 'r.example',
      helper: undefined,
      file,
    })
    await storeCredentials('index.docker.io', { username: 'h', password: 'x' }, options)
    expect(JSON.parse(await readFile(file, 'utf8'))).toEqual({
      psFormat: 'x',
      auths: {
        'other.example': { auth: 'kept' },
        'r.example': { auth: auth('u', 'p:ä') },
        'https://index.docker.io/v1/': { auth: auth('h', 'x') },
      },
    })
    expect((await stat(join(home.path, 'real.json'))).mode & 0o777).toBe(0o600)
    expect(await defaultCredentials({}, home.path)({ registry: 'r.example' })).toEqual({
      username: 'u',
      password: 'p:ä',
    })
    expect(await eraseCredentials('docker.io', options)).toBe(true)
    expect(await eraseCredentials('docker.io', options)).toBe(false)
    expect(Object.keys(JSON.parse(await readFile(file, 'utf8')).auths)).toEqual(['other.example', 'r.example'])
  })

  it('make the file and its folder', async () => {
    await using home = await temporaryDirectory()
    await storeCredentials('r.example', { username: 'u', password: 'p' }, { env: { HOME: home.path } })
    expect((await stat(join(home.path, '.docker/config.json'))).mode & 0o777).toBe(0o600)
    await expect(storeCredentials('r.example', { username: 'u', password: 'p' }, { env: {} })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
    })
  })
})
