/** Git repositories on loopback: over HTTP with a password, and over ssh. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo, createServer as createSocketServer } from 'node:net'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { run, until } from './process.ts'
import { tempDirectory, writeTree } from './temp.ts'
import { isRoot, toolPath, which } from './tools.ts'

const ENV = {
  PATH: toolPath,
  HOME: '/nonexistent',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_AUTHOR_DATE: '1700000000 +0000',
  GIT_COMMITTER_DATE: '1700000000 +0000',
}

/** Runs git with nothing of the machine's configuration. @returns what it printed */
export function git(cwd: string, ...args: string[]): string {
  const who = ['-c', 'user.name=x', '-c', 'user.email=x@x', '-c', 'protocol.file.allow=always']
  return execFileSync('git', [...who, ...args], { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], env: ENV })
}

/**
 * Makes the repositories `inner.git`, `sub.git` (with inner as a submodule by a relative URL) and `outer.git` (with sub).
 *
 * @param submodule what the URLs of submodules begin with
 */
export async function makeRepositories(directory: string, submodule = '../'): Promise<void> {
  for (const [name, below] of [['inner'], ['sub', 'inner'], ['outer', 'sub']] as const) {
    const path = join(directory, `${name}.git`)
    await writeTree(path, {
      [name]: name,
      ...(below && { '.gitmodules': `[submodule "${below}"]\n path = m\n url = ${submodule}${below}.git\n` }),
    })
    git(path, 'init', '-q', '-b', 'main')
    git(path, 'add', '-A')
    if (below) {
      const commit = git(join(directory, `${below}.git`), 'rev-parse', 'HEAD').trim()
      git(path, 'update-index', '--add', '--cacheinfo', `160000,${commit},m`)
    }
    git(path, 'commit', '-q', '-m', name)
    git(path, 'tag', '-a', '-m', 'a tag', 'v1')
    git(path, 'config', 'uploadpack.allowAnySHA1InWant', 'true')
  }
}

export interface GitServer extends AsyncDisposable {
  /** `127.0.0.1:PORT` */
  readonly host: string
  /** What was asked for: path, and the Authorization that came with it. */
  readonly requests: { readonly path: string; readonly authorization: string | undefined }[]
}

/**
 * Serves the repositories below a directory.
 *
 * @param authorization what every request must bring; others get 401
 * @param redirect where to send requests for a path, if anywhere
 */
export async function startGitServer(
  directory: string,
  authorization: string,
  redirect: (path: string) => string | undefined = () => undefined,
): Promise<GitServer> {
  const requests: GitServer['requests'] = []
  const server = createServer((request, response) => {
    const path = request.url!
    requests.push({ path, authorization: request.headers.authorization })
    const target = redirect(path)
    if (target !== undefined) {
      response.writeHead(302, { location: target }).end()
      return
    }
    if (request.headers.authorization?.toLowerCase() === authorization.toLowerCase())
      return backend(directory, request, response)
    response.writeHead(401, { 'www-authenticate': 'Basic realm="test"' }).end()
  })
  await listen(server)
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

async function listen(server: Server): Promise<void> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
}

/** git http-backend, as a web server runs it. */
function backend(directory: string, request: IncomingMessage, response: ServerResponse): void {
  const { pathname, search } = new URL(request.url!, 'http://x')
  const child = spawn('git', ['http-backend'], {
    env: {
      ...ENV,
      GIT_PROJECT_ROOT: directory,
      GIT_HTTP_EXPORT_ALL: '1',
      PATH_INFO: pathname.replace('.git/', '.git/.git/'),
      QUERY_STRING: search.slice(1),
      REQUEST_METHOD: request.method,
      CONTENT_TYPE: request.headers['content-type'] ?? '',
      ...(request.headers['content-encoding'] && { HTTP_CONTENT_ENCODING: request.headers['content-encoding'] }),
      GIT_PROTOCOL: request.headers['git-protocol'] as string | undefined,
      REMOTE_USER: 'x',
    },
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  request.pipe(child.stdin)
  const chunks: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
  child.on('close', () => {
    const all = Buffer.concat(chunks)
    const end = all.indexOf('\r\n\r\n')
    const head = all.subarray(0, end).toString().split('\r\n')
    let status = 200
    for (const line of head) {
      const colon = line.indexOf(':')
      const [name, value] = [line.slice(0, colon), line.slice(colon + 1).trim()]
      if (name.toLowerCase() === 'status') status = Number.parseInt(value, 10)
      else if (name !== '') response.setHeader(name, value)
    }
    response.writeHead(status).end(all.subarray(end + 4))
  })
}

export interface SshServer extends AsyncDisposable {
  readonly port: number
  /** A private key that may log in, and one that may not. */
  readonly key: string
  readonly otherKey: string
  /** A file with the key of the server. */
  readonly knownHosts: string
  readonly user: string
}

/** Debian's sshd for the user of the tests. Its separated half needs a directory below /run, which it gets a private one of. */
export async function startSshServer(): Promise<SshServer> {
  const directory = await tempDirectory('tsbuild-test-sshd-')
  const port = await freePort()
  const [hostKey, key, otherKey] = ['host', 'key', 'other'].map((name) => directory.join(name)) as [
    string,
    string,
    string,
  ]
  for (const path of [hostKey, key, otherKey])
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'test', '-f', path])
  const publicKey = execFileSync('cat', [`${hostKey}.pub`], { encoding: 'utf8' })
  await writeTree(directory.path, {
    known: `[127.0.0.1]:${port} ${publicKey}`,
    config: [
      `ListenAddress 127.0.0.1:${port}`,
      `HostKey ${hostKey}`,
      `AuthorizedKeysFile ${key}.pub`,
      'PidFile none',
      'StrictModes no',
      'UsePAM no',
      'PasswordAuthentication no',
      'KbdInteractiveAuthentication no',
      'PermitRootLogin yes',
      '',
    ].join('\n'),
  })
  const sshd = [which('sshd')!, '-D', '-e', '-f', directory.join('config')]
  const isolated = ['-c', 'mount -t tmpfs none /run && mkdir /run/sshd && exec "$@"', 'sh', ...sshd]
  const command = isRoot ? ['unshare', '--mount', 'sh', ...isolated] : sshd
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', ...command], { stdio: ['ignore', 'ignore', 'pipe'] })
  const exit = once(child, 'close')
  let log = ''
  child.stderr.on('data', (data) => {
    log = (log + data).slice(-4000)
  })
  await until(`sshd at port ${port}`, async () => {
    if (child.exitCode !== null) throw new Error(`sshd ended: ${log}`)
    return (await run('ssh-keyscan', ['-p', String(port), '127.0.0.1'], { env: ENV })).stdout.includes('ssh-ed25519')
  })
  return {
    port,
    key,
    otherKey,
    knownHosts: directory.join('known'),
    user: userInfo().username,
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM')
      await exit
      await directory[Symbol.asyncDispose]()
    },
  }
}

async function freePort(): Promise<number> {
  const server = createSocketServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** A directory with {@link makeRepositories} in it. */
export async function tempRepositories(): Promise<AsyncDisposable & { readonly path: string }> {
  const directory = await tempDirectory('tsbuild-test-git-')
  await mkdir(directory.path, { recursive: true })
  await makeRepositories(directory.path)
  return directory
}
