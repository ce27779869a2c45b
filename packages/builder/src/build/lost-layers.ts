/** What becomes of a build that has taken layers for there which turn out to be lost. */
import { BuildError } from '../errors.ts'
import { hasCode } from '../util/has-code.ts'
import type { Session } from './session.ts'

/**
 * Solves and exports; when a layer from the cache is lost, once more. One of the store is lost where records tell of
 * what is damaged or, where a store has changed its kind of snapshots, of what this kind cannot read: nothing is taken
 * for there any more but what the worker has. A shared cache that has lost one does not offer it again, so this ends.
 * In each case the step makes its layer again.
 */
export async function withLostLayers<T>(
  session: Session,
  attempt: (trust: 'records' | 'worker') => Promise<T>,
): Promise<T> {
  let trust: 'records' | 'worker' = 'records'
  for (;;) {
    try {
      return await attempt(trust)
    } catch (error) {
      if (!(error instanceof BuildError) || session.signal.aborted) throw error
      // Whoever knows the name only has never said that there is more.
      const isShared = hasCode(error, 'CACHE_LAYER_LOST')
      if (!isShared && (error.code !== 'LAYER_LOST' || trust === 'worker')) throw error
      if (!isShared) trust = 'worker'
      if (!isShared || error.cause !== undefined)
        session.warn({ rule: '', message: `${error.message}: it is made again` })
    }
  }
}
