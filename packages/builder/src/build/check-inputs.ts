/** What the caller names of this machine is looked at before anything is built, not by the step that needs it. */
import { stat } from 'node:fs/promises'
import { requireDirectory } from '../context/local.ts'
import { isRemoteContext } from '../context/remote.ts'
import { exportErrors } from '../export/attrs.ts'
import type { OutputSpec } from '../options.ts'
import { checkAgent } from '../sandbox/ssh/agent.ts'
import { hasCode } from '../util/has-code.ts'
import { checkSecrets } from './secrets.ts'
import type { BuildSettings } from './settings.ts'

/** @throws BuildError SECRET_UNREADABLE, SSH_UNAVAILABLE, CONTEXT_NOT_FOUND, CONTEXT_NOT_DIRECTORY, OUTPUT_FAILED, CACHE_INVALID */
export async function checkInputs({ options, env, cacheFrom, cacheTo }: BuildSettings): Promise<void> {
  await checkSecrets(options.secrets ?? [])
  for (const { paths } of options.ssh ?? []) await checkAgent({ paths, authSock: env.SSH_AUTH_SOCK })
  for (const place of Object.values(options.buildContexts ?? {}))
    if (!/^(docker-image|oci-layout):\/\/|^target:/.test(place) && !isRemoteContext(place)) requireDirectory(place)
  for (const cache of [...cacheFrom, ...cacheTo]) await cache.check?.()
  for (const output of options.outputs ?? []) await checkDestination(output)
}

/** Directories are made; a file where one has to be is found now. */
async function checkDestination({ type, attrs: { dest } }: OutputSpec): Promise<void> {
  if (!dest || dest === '-') return
  const found = await stat(dest).catch((error: unknown) => error)
  const inTheWay = hasCode(found, 'ENOTDIR') || (type === 'local' && hasMethod(found) && !found.isDirectory())
  if (inTheWay) throw exportErrors.outputFailed([dest, 'not a directory'])
}

const hasMethod = (found: unknown): found is { isDirectory(): boolean } =>
  typeof found === 'object' && found !== null && 'isDirectory' in found
