/** Agents that `--ssh` offers to RUN --mount=type=ssh. */
import type { SshSource } from '../options.ts'
import type { SshProvider } from '../steps/run-step.ts'

type Env = Readonly<Record<string, string | undefined>>

/** Opens agents by id, one connection point per step. */
export function openSsh(sources: readonly SshSource[], env: Env): SshProvider {
  const byId = new Map(sources.map((s) => [s.id, s]))
  return {
    async open(id) {
      const source = byId.get(id)
      const path = source?.paths[0] ?? env.SSH_AUTH_SOCK
      return source && path ? { path, [Symbol.asyncDispose]: async () => undefined } : undefined
    },
  }
}
