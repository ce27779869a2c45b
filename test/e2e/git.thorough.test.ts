/** Git repositories as contexts and sources of ADD: what proves who one is stays out of the image and of what is printed. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { git, startGitServer, startSshServer, tempRepositories } from '../support/git-server.ts'
import { start, until } from '../support/process.ts'
import { gate, toolPath } from '../support/tools.ts'
import { openWorkspace, type Workspace } from '../support/workspace.ts'

const http = gate('git', 'setpriv')
const ssh = gate('git', 'setpriv', 'sshd', 'ssh-agent')

const TOKEN = 'tok3n-0123456789-never-seen'
const basic = (user: string, password: string): string =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`

/** Every form in which a token could be written down. */
const forms = (token: string): string[] => [
  token,
  encodeURIComponent(token),
  Buffer.from(token).toString('base64').replace(/=+$/, '').slice(0, -1),
  basic('me', token).slice(6).replace(/=+$/, ''),
  basic('x-access-token', token).slice(6).replace(/=+$/, ''),
]

function holding(directory: string, texts: readonly string[]): string[] {
  return readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => {
      const bytes = readFileSync(path)
      return texts.some((text) => bytes.includes(text))
    })
}

/** Builds into `out`, and looks for the token everywhere. */
async function build(place: Workspace, args: readonly string[], env: Record<string, string> = {}) {
  const files = [
    '--output',
    `type=local,dest=${place.join('out')}`,
    '--output',
    `type=oci,dest=${place.join('oci.tar')}`,
  ]
  const metadata = ['--metadata-file', place.join('metadata.json')]
  const result = await place.run(['--progress=plain', ...files, ...metadata, ...args], { env })
  for (const text of forms(TOKEN)) expect(result.stdout + result.stderr).not.toContain(text)
  expect(holding(place.path, forms(TOKEN)).filter((path) => !path.startsWith(place.join('context/')))).toEqual([])
  return result
}

describe('git over http', () => {
  it.skipIf(http.skip).each<[name: string, user: string, password: string]>([
    ['a user and a password', `me:${TOKEN}`, basic('me', TOKEN)],
    ['a token alone', TOKEN, basic(TOKEN, '')],
    ['an encoded password', `me:${TOKEN}%2Fx%40y`, basic('me', `${TOKEN}/x@y`)],
  ])(`ADD --keep-git-dir with submodules: no trace of %s in the URL${http.note}`, async (_, user, authorization) => {
    await using repositories = await tempRepositories()
    await using server = await startGitServer(repositories.path, authorization)
    await using place = await openWorkspace()
    const url = `http://${user}@${server.host}/outer.git`
    const context = await place.files({
      Dockerfile: `FROM scratch\nADD --keep-git-dir=true ${url} /r\nADD ${url}#v1 /p\n`,
    })
    const result = await build(place, [context])
    expect(result.stderr).toMatch(/ADD --keep-git-dir=true http:\/\/xxxxx@/)
    expect(result.code).toBe(0)
    const out = place.join('out')
    for (const name of ['r', 'p']) expect(readFileSync(join(out, name, 'm/m/inner'), 'utf8')).toBe('inner')
    expect(git(join(out, 'r'), 'remote', 'get-url', 'origin').trim()).toBe(`http://${server.host}/outer.git`)
    expect(git(join(out, 'r'), 'status', '--porcelain')).toBe('')
    expect(git(join(out, 'r/m/m'), 'log', '--format=%s').trim()).toBe('inner')
    expect(readdirSync(join(out, 'p'))).not.toContain('.git')
  })

  it.skipIf(http.skip)(`contexts keep their metadata on request, without the token${http.note}`, async () => {
    await using repositories = await tempRepositories()
    await using server = await startGitServer(repositories.path, basic('me', TOKEN))
    await using place = await openWorkspace()
    await place.files({ Dockerfile: 'FROM scratch\nCOPY . /\n' })
    const file = ['-f', place.join('context/Dockerfile')]
    const url = `http://me:${TOKEN}@${server.host}/outer.git`
    await build(place, [...file, url])
    expect(readdirSync(place.join('out'))).not.toContain('.git')
    for (const more of [[`${url}?keep-git-dir=1`], ['--build-arg', 'BUILDKIT_CONTEXT_KEEP_GIT_DIR=1', url]]) {
      expect((await build(place, [...file, ...more])).code).toBe(0)
      expect(git(place.join('out'), 'log', '--format=%s').trim()).toBe('outer')
    }
    await place.files({ Dockerfile: 'FROM scratch\nCOPY --from=named . /\n' })
    await build(place, ['--build-context', `named=${url}`, place.join('context')])
  })

  it.skipIf(http.skip).each<[name: string, id: (host: string) => string, value: string, want: string]>([
    ['GIT_AUTH_TOKEN', () => 'GIT_AUTH_TOKEN', TOKEN, basic('x-access-token', TOKEN)],
    ['GIT_AUTH_TOKEN of a host', (host) => `GIT_AUTH_TOKEN.${host}`, `${TOKEN}\n`, basic('x-access-token', TOKEN)],
    ['GIT_AUTH_HEADER', () => 'GIT_AUTH_HEADER', `Bearer ${TOKEN}`, `Bearer ${TOKEN}`],
  ])(`the secret %s lets in and leaves no trace${http.note}`, async (_, id, value, want) => {
    await using repositories = await tempRepositories()
    await using server = await startGitServer(repositories.path, want)
    await using place = await openWorkspace()
    const url = `http://${server.host}/inner.git`
    const context = await place.files({ Dockerfile: `FROM scratch\nADD --keep-git-dir=true ${url} /r\n` })
    const secret = ['--secret', `id=${id(server.host)},env=SECRET_VALUE`]
    const result = await build(place, [...secret, context], { SECRET_VALUE: value })
    expect(result.code, result.stderr).toBe(0)
    expect(readFileSync(place.join('out/r/inner'), 'utf8')).toBe('inner')
    expect(
      (await build(place, [...secret, '--build-context', `named=${url}`, context], { SECRET_VALUE: value })).code,
    ).toBe(0)
  })

  it.skipIf(http.skip)(`a redirect carries nothing to another host, nor into the image${http.note}`, async () => {
    await using repositories = await tempRepositories()
    await using other = await startGitServer(repositories.path, basic('you', TOKEN))
    await using server = await startGitServer(repositories.path, basic('me', TOKEN), (path) =>
      path.startsWith('/moved.git') ? `http://you:${TOKEN}@${other.host}${path.replace('moved', 'inner')}` : undefined,
    )
    await using place = await openWorkspace()
    const url = `http://me:${TOKEN}@${server.host}/moved.git`
    const context = await place.files({ Dockerfile: `FROM scratch\nADD --keep-git-dir=true ${url} /r\n` })
    await build(place, [context])
    expect(other.requests.map(({ authorization }) => authorization)).not.toContain(basic('me', TOKEN))
  })

  it.skipIf(http.skip)(`errors do not tell the token${http.note}`, async () => {
    await using repositories = await tempRepositories()
    await using server = await startGitServer(repositories.path, basic('me', 'another'))
    await using place = await openWorkspace()
    const url = `http://me:${TOKEN}@${server.host}/inner.git`
    const context = await place.files({ Dockerfile: `FROM scratch\nADD ${url} /r\n` })
    const result = await build(place, [context])
    expect(result.code).toBe(1)
    expect(result.stderr).toMatch(/failed to fetch http:\/\/xxxxx@[\d.:]+\/inner\.git/)
    expect((await build(place, [url])).code).toBe(1)
    const json = await place.run(['--progress=rawjson', context])
    for (const line of json.stderr.split('\n').filter((text) => text.startsWith('{')))
      expect(JSON.stringify({ ...JSON.parse(line), warnings: undefined })).not.toContain(TOKEN)
  })
})

describe('git over ssh', () => {
  it.skipIf(ssh.skip)(`uses what --ssh names and nothing else${ssh.note}`, async () => {
    await using repositories = await tempRepositories()
    await using server = await startSshServer()
    await using place = await openWorkspace()
    const url = `ssh://${server.user}@127.0.0.1:${server.port}${repositories.path}/outer.git`
    const simple = url.replace('outer', 'inner')
    const context = await place.files({ Dockerfile: `FROM scratch\nADD --keep-git-dir=true ${simple} /r\n` })
    const known = ['--ssh-known-hosts', server.knownHosts]
    const agent = place.join('agent')
    const running = start('ssh-agent', ['-D', '-a', agent], { env: { PATH: toolPath } })
    try {
      await until('the agent', async () => readdirSync(place.path).includes('agent'))
      const env = { SSH_AUTH_SOCK: agent }
      await start('ssh-add', ['-q', server.key], { env: { PATH: toolPath, ...env } }).finished

      const unasked = await place.run(['--progress=plain', ...known, context], { env })
      expect(unasked.code).toBe(1)
      expect(unasked.stderr).toContain('no SSH key "default" forwarded from the client')
      expect(unasked.stderr).toContain('--ssh default')
      for (const offered of [
        ['--ssh', 'default'],
        ['--ssh', `default=${agent}`],
      ]) {
        await place.must(['--progress=plain', '--no-cache', ...known, ...offered, '-o', place.join('out'), context], {
          env,
        })
        expect(readFileSync(place.join('out/r/inner'), 'utf8')).toBe('inner')
      }
      const other = await place.run(['--progress=plain', ...known, '--ssh', `default=${server.otherKey}`, context], {
        env,
      })
      expect(other.code).toBe(1)
      expect(other.stderr).toContain('Permission denied')
    } finally {
      running.child.kill()
      await running.finished
    }
    const key = ['--ssh', `default=${server.key}`]
    const file = ['-f', place.join('plain')]
    writeFileSync(place.join('plain'), 'FROM scratch\nCOPY . /\n')
    await place.must(['--progress=plain', ...known, ...key, ...file, '-o', place.join('whole'), url])
    expect(readFileSync(place.join('whole/m/m/inner'), 'utf8')).toBe('inner')
  })

  it.skipIf(ssh.skip)(`knows hosts by --ssh-known-hosts or the user's own file${ssh.note}`, async () => {
    await using repositories = await tempRepositories()
    await using server = await startSshServer()
    await using place = await openWorkspace()
    const url = `ssh://${server.user}@127.0.0.1:${server.port}${repositories.path}/inner.git`
    const context = await place.files({ Dockerfile: `FROM scratch\nADD ${url} /r\n` })
    const args = ['--progress=plain', '--no-cache', '--ssh', `default=${server.key}`, '-o', place.join('out'), context]
    const unknown = await place.run(args)
    expect(unknown.code).toBe(1)
    expect(unknown.stderr).toContain('Host key verification failed')
    expect(unknown.stderr).toContain('--ssh-known-hosts FILE')
    const key = readFileSync(server.knownHosts, 'utf8')
    await place.files(
      { 'odd %h $HOME name': key, wrong: key.replace(/\S+(?= test)/, (text) => swapped(text)) },
      'hosts',
    )
    await place.must(['--ssh-known-hosts', place.join('hosts/odd %h $HOME name'), ...args])
    const wrong = await place.run(['--ssh-known-hosts', place.join('hosts/wrong'), ...args])
    expect(wrong.stderr).toContain('the key of the host is not the known one')
    const absent = await place.run(['--ssh-known-hosts', place.join('hosts/absent'), ...args])
    expect(absent.stderr).toMatch(/ssh-known-hosts: ".*absent" is no file/)
    await place.files({ known_hosts: key }, 'home/.ssh')
    await place.must(args)
  })
})

/** Another key of the same form. */
function swapped(key: string): string {
  const bytes = Buffer.from(key, 'base64')
  bytes[bytes.length - 1]! ^= 1
  return bytes.toString('base64')
}
