/** The border of the calls that work on the local store without building. */
import { type CallOptions, checkOptions } from './option-schema.ts'
import { asBuildError, stateRoot } from './settings.ts'

/**
 * Does a call: its options are checked, the place of the store is found, and whatever it fails with is a BuildError.
 *
 * @param work is given the options and the absolute path of the store
 */
export async function callInStore<
  C extends 'store' | 'usage' | 'collect' | 'open' | 'explain' | 'prune' | 'debug' | 'diagnose',
  T,
>(name: C, call: unknown, work: (options: CallOptions[C], root: string) => Promise<T>): Promise<T> {
  let root: string | undefined
  let signal: AbortSignal | undefined
  try {
    const options = checkOptions(name, call)
    if ('signal' in options) signal = options.signal
    root = stateRoot(options.root, options.env ?? process.env)
    return await work(options, root)
  } catch (error) {
    throw asBuildError(error, { signal, root })
  }
}
