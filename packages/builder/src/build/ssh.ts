/** Agents that `--ssh` offers to RUN --mount=type=ssh: a socket for each step, gone when the step ends. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { SshSource } from '../options.ts'
import { openAgent } from '../sandbox/ssh/agent.ts'
import type { SshProvider } from '../steps/run-step.ts'
import type { Store } from '../store/store.ts'

type Env = Readonly<Record<string, string | undefined>>

/** Longest directory in which a socket still has a path that fits into 107 bytes. */
const MAX_DIRECTORY = 60

/** Opens agents by id. */
export function openSsh(sources: readonly SshSource[], env: Env, store: Store): SshProvider {
  const byId = new Map(sources.map((source) => [source.id, source]))
  return {
    async open(id) {
      const source = byId.get(id)
      if (source === undefined) return undefined
      const resources = new AsyncDisposableStack()
      try {
        const directory = await socketDirectory(store, resources)
        const { path } = resources.use(await openAgent({ paths: source.paths, authSock: env.SSH_AUTH_SOCK, directory }))
        return { path, [Symbol.asyncDispose]: () => resources.disposeAsync() }
      } catch (error) {
        await resources.disposeAsync()
        throw error
      }
    },
  }
}

/** A private directory: of the store, which is swept after a crash, unless its path is too long. */
async function socketDirectory(store: Store, resources: AsyncDisposableStack): Promise<string> {
  const temporary = resources.use(await store.blobs.temporary('ssh'))
  if (Buffer.byteLength(temporary.path) <= MAX_DIRECTORY) return temporary.path
  const directory = await mkdtemp(join(tmpdir(), 'tsbuild-ssh-'))
  resources.defer(() => rm(directory, { recursive: true, force: true }))
  return directory
}
