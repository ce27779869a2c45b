/** Registries, as the commands use them: one client per command, told what the global flags say. */
import type { RegistryClient } from '@tsbuild/registry-client'
import type { CommandContext } from './command.ts'
import { escapeControls } from './progress/escape.ts'
import { UsageError } from './usage-error.ts'

/**
 * A client to be disposed; what registries warn about goes to stderr, with --debug every request does.
 *
 * @param foreign whether layers may be fetched from where their manifest says that they are
 */
export async function openRegistry({ io, global }: CommandContext, foreign = false): Promise<RegistryClient> {
  const { RegistryClient } = await import('@tsbuild/registry-client')
  const say = (text: string): void => void io.stderr.write(`${escapeControls(text)}\n`)
  return new RegistryClient({
    env: io.env,
    mirrors: global.mirrors,
    caFiles: global.caFiles,
    insecure: global.insecureRegistries,
    foreignLayers: { allow: foreign },
    onEvent: (event) => {
      if (event.type === 'warning') say(`WARNING: ${event.host}: ${event.message}`)
      if (!global.debug) return
      if (event.type === 'request')
        say(`${event.method} ${event.url} ${event.status} ${Math.round(event.durationMs)} ms`)
      else if (event.type === 'retry')
        say(`${event.method} ${event.url}: ${event.reason}, again in ${event.delayMs} ms`)
      else if (event.type === 'mirror')
        say(`${event.registry}: mirror ${event.host} ${event.outcome} ${event.reason ?? ''}`)
      else if (event.type === 'auth') say(`${event.host}: ${event.scheme} ${event.scopes.join(' ')}`)
    },
  })
}

/** The name of a registry as it is typed: perhaps with a scheme and a slash, docker.io when there is none. */
export function registryName(word: string | undefined): string {
  const name = (word ?? 'docker.io').replace(/^https?:\/\//i, '').replace(/\/+$/, '')
  if (/^[^\s/]+$/.test(name)) return name
  throw new UsageError(`invalid registry ${JSON.stringify(word)}`, 'write it as HOST or HOST:PORT')
}
