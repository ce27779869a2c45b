/** Debian's docker-registry on a free port of loopback. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { createServer as createHttpServer, request } from 'node:http'
import { createServer } from 'node:net'
import { until } from './process.ts'
import { tempDirectory } from './temp.ts'
import { which } from './tools.ts'

/** The only user of a registry with a password; docker-registry takes bcrypt hashes only. */
export const registryUser = { name: 'tester', password: 'not-a-secret' } as const
const PASSWORD_HASH = '$2b$05$tsbuildTestRegistrySaeKr2DzPUHZKWchl2Gw10BxRrCD99MgPu'

export interface TestRegistry extends AsyncDisposable {
  /** `127.0.0.1:PORT` */
  readonly host: string
  /** Where it keeps a blob. */
  blobPath(digest: string): string
}

/** Starts a registry that ends with this process at the latest. */
export async function startRegistry(options: { readonly password?: boolean } = {}): Promise<TestRegistry> {
  const directory = await tempDirectory('tsbuild-test-registry-')
  const host = `127.0.0.1:${await freePort()}`
  const users = directory.join('htpasswd')
  await writeFile(users, `${registryUser.name}:${PASSWORD_HASH}\n`)
  await mkdir(directory.join('data'))
  const config = {
    version: '0.1',
    log: { level: 'error', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: directory.join('data') }, delete: { enabled: true } },
    http: { addr: host },
    ...(options.password && { auth: { htpasswd: { realm: 'test', path: users } } }),
  }
  // JSON is YAML.
  await writeFile(directory.join('config.yml'), JSON.stringify(config))
  await chmod(directory.path, 0o700)
  const server = [which('docker-registry')!, 'serve', directory.join('config.yml')]
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', ...server], { stdio: ['ignore', 'ignore', 'pipe'] })
  const exit = once(child, 'close')
  let log = ''
  child.stderr.on('data', (data) => {
    log = (log + data).slice(-4000)
  })
  await until(`the registry at ${host}`, async () => {
    if (child.exitCode !== null) throw new Error(`docker-registry ended: ${log}`)
    return await fetch(`http://${host}/v2/`).then(
      () => true,
      () => false,
    )
  })
  return {
    host,
    blobPath(digest) {
      const [algorithm = '', hex = ''] = digest.split(':')
      return directory.join('data/docker/registry/v2/blobs', algorithm, hex.slice(0, 2), hex, 'data')
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await exit
      await directory[Symbol.asyncDispose]()
    },
  }
}

/** A port of loopback that nobody listens on now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

/** A registry that passes requests on to another one, and notes those that write, and those for blobs. */
export interface CountingProxy extends AsyncDisposable {
  readonly host: string
  /** `METHOD path` of each request that is neither GET nor HEAD. */
  readonly writes: readonly string[]
  /** Digests of the blobs that were asked for. */
  readonly blobs: readonly string[]
  /** Forgets what it has noted. */
  reset(): void
}

export async function countingProxy(target: string): Promise<CountingProxy> {
  const writes: string[] = []
  const blobs: string[] = []
  const server = createHttpServer((incoming, response) => {
    const { method = 'GET', url = '/' } = incoming
    if (method !== 'GET' && method !== 'HEAD') writes.push(`${method} ${url}`)
    if (method === 'GET' && url.includes('/blobs/')) blobs.push(url.replace(/^.*\//, ''))
    const outgoing = request(`http://${target}${url}`, { method, headers: incoming.headers }, (answer) => {
      response.writeHead(answer.statusCode!, answer.headers)
      answer.pipe(response)
    })
    outgoing.on('error', () => response.destroy())
    incoming.pipe(outgoing)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    host: `127.0.0.1:${(server.address() as { port: number }).port}`,
    writes,
    blobs,
    reset() {
      writes.length = 0
      blobs.length = 0
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
