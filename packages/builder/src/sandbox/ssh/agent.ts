/** Agents for RUN --mount=type=ssh: a socket per step, served from an agent of the caller's or from key files. */

import { randomUUID } from 'node:crypto'
import fs from 'node:fs/promises'
import net from 'node:net'
import { join } from 'node:path'
import { makeDirectorySync } from '../../util/make-directory.ts'
import { systemReason } from '../../util/system-error.ts'
import { sandboxErrors } from '../errors.ts'
import { forwardAgent } from './forward.ts'
import { KeyAgent } from './key-agent.ts'
import { type AgentKey, readKey } from './keys.ts'

export interface AgentOptions {
  /** Agent socket (one) or private key files, as `--ssh` lists them; empty: the agent at `authSock`. */
  readonly paths: readonly string[]
  /** $SSH_AUTH_SOCK of the caller. */
  readonly authSock: string | undefined
  /** Directory for the socket; short, since socket paths end at 107 bytes. */
  readonly directory: string
}

/** A socket that one step may use; gone when disposed. */
export interface AgentSocket extends AsyncDisposable {
  readonly path: string
}

/**
 * Opens an agent socket of its own. Throws SSH_UNAVAILABLE when there is no agent, or a file is neither an agent's socket
 * nor an unencrypted private key.
 */
export async function openAgent(options: AgentOptions): Promise<AgentSocket> {
  const serve = await chooseServer(options)
  makeDirectorySync(options.directory, 0o700)
  const path = join(options.directory, `agent.${randomUUID().slice(0, 8)}`)
  const connections = new Set<net.Socket>()
  const server = net.createServer((client) => {
    connections.add(client)
    client.on('close', () => connections.delete(client))
    client.on('error', () => client.destroy())
    serve(client)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, resolve)
  })
  server.unref()
  return {
    path,
    async [Symbol.asyncDispose]() {
      for (const connection of connections) connection.destroy()
      await new Promise((resolve) => server.close(resolve))
      await fs.rm(path, { force: true })
    },
  }
}

/** Finds out whether {@link openAgent} would succeed. @throws BuildError SSH_UNAVAILABLE */
export async function checkAgent(options: Omit<AgentOptions, 'directory'>): Promise<void> {
  await chooseServer(options)
}

async function chooseServer(options: Omit<AgentOptions, 'directory'>): Promise<(client: net.Socket) => void> {
  const paths = options.paths.length > 0 ? options.paths : options.authSock === undefined ? [] : [options.authSock]
  if (paths.length === 0)
    throw sandboxErrors.sshUnavailable(['no SSH agent: $SSH_AUTH_SOCK is not set and no key was given'])
  const keys: AgentKey[] = []
  const sockets: string[] = []
  for (const path of paths) {
    const stat = await fs.stat(path).catch((error: Error) => {
      throw sandboxErrors.sshUnavailable([`cannot use ${path} for SSH: ${systemReason(error)}`])
    })
    if (stat.isSocket()) sockets.push(path)
    else keys.push(...(await readKey(path)))
  }
  if (sockets.length > 1 || (sockets.length === 1 && keys.length > 0))
    throw sandboxErrors.sshUnavailable([
      'invalid combination of SSH agent sockets and keys: give one socket or key files',
    ])
  const [socket] = sockets
  if (socket !== undefined) return (client) => forwardAgent(client, socket)
  const agent = new KeyAgent(keys)
  return (client) => agent.serve(client)
}
