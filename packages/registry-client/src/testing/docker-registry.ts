/**
 * Distribution's own registry, where the machine has it, for tests against the real thing.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { temporaryDirectory } from './temporary.ts'

/** true when the machine has a program. */
export function hasProgram(name: string): boolean {
  return spawnSync(name, ['--version'], { stdio: 'ignore' }).error === undefined
}

/** Further sections of its configuration, as YAML; `{dir}` stands for its directory. */
export interface DockerRegistryOptions {
  readonly http?: string
  readonly auth?: string
  readonly storage?: string
  /** Files in its directory. */
  readonly files?: Readonly<Record<string, string>>
}

/** A running registry on a free loopback port. Dispose it to stop it and delete what it has. */
export class DockerRegistry implements AsyncDisposable {
  readonly host: string
  readonly path: string
  readonly #child: ChildProcess
  readonly #folder: AsyncDisposable

  private constructor(host: string, path: string, child: ChildProcess, folder: AsyncDisposable) {
    this.host = host
    this.path = path
    this.#child = child
    this.#folder = folder
  }

  static async start(options: DockerRegistryOptions = {}): Promise<DockerRegistry> {
    const folder = await temporaryDirectory(options.files)
    const host = `127.0.0.1:${await freePort()}`
    const text = `version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage:
  filesystem: {rootdirectory: {dir}/data}
  delete: {enabled: true}
${options.storage ?? ''}
http:
  addr: ${host}
${options.http ?? ''}
${options.auth ?? ''}
`
    await writeFile(join(folder.path, 'config.yml'), text.replaceAll('{dir}', folder.path))
    const child = spawn('docker-registry', ['serve', join(folder.path, 'config.yml')], { stdio: 'ignore' })
    const registry = new DockerRegistry(host, folder.path, child, folder)
    for (let tries = 0; tries < 100; tries++) {
      if (await answers(host)) return registry
      await sleep(50)
    }
    await registry[Symbol.asyncDispose]()
    throw new Error('docker-registry did not start')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null) {
      this.#child.kill('SIGKILL')
      await once(this.#child, 'exit')
    }
    await this.#folder[Symbol.asyncDispose]()
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

async function answers(host: string): Promise<boolean> {
  try {
    await fetch(`http://${host}/v2/`)
    return true
  } catch {
    return false
  }
}
