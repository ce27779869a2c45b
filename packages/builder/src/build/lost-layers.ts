/** What becomes of a build that has taken layers for there which turn out to be lost. */
import { BuildError } from '../errors.ts'
import type { Session } from './session.ts'

/**
 * Solves and exports; when a layer from the cache is lost, once more, with nothing taken for there but what the worker
 * has: so it is made again. Records tell of layers that are damaged or, where a store has changed its kind of snapshots,
 * that this kind cannot read.
 */
export async function withLostLayers<T>(
  session: Session,
  attempt: (trust: 'records' | 'worker') => Promise<T>,
): Promise<T> {
  try {
    return await attempt('records')
  } catch (error) {
    if (!(error instanceof BuildError) || error.code !== 'LAYER_LOST' || session.signal.aborted) throw error
    session.warn({ rule: '', message: `${error.message}: it is made again` })
    return await attempt('worker')
  }
}
