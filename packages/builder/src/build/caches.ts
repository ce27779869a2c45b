/** The shared caches that a build looks into. */
import { SharedCaches } from '../cache/import.ts'
import type { Session } from './session.ts'
import type { BuildSettings } from './settings.ts'

/** Opens them, and begins to ask what they hold; they belong to the session. */
export async function openCaches(session: Session, { cacheFrom }: BuildSettings): Promise<SharedCaches | undefined> {
  if (cacheFrom.length === 0) return undefined
  const importers = []
  for (const cache of cacheFrom)
    importers.push({ importer: session.use(await cache.open(cacheServices(session))), mounts: cache.mounts })
  return session.use(
    new SharedCaches(importers, {
      signal: session.signal,
      task: (title, work) => session.task(title, work),
      warn: (message) => session.warn({ rule: '', message }),
    }),
  )
}

/** What caches may use of a build. */
export function cacheServices(session: Session): Parameters<BuildSettings['cacheFrom'][number]['open']>[0] {
  return { repository: (reference, options) => session.repository(reference, options), client: session.client }
}
