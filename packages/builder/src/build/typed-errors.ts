/** The border of the objects that the library hands out: what their methods throw is of its own types. */

/**
 * An object whose methods give errors to `convert` before the caller has them: what they throw, what their promises are
 * rejected with, and what ends the streams that they give. A call that was aborted fails as it would without.
 */
export function withTypedErrors<T extends object>(target: T, convert: (error: unknown) => unknown): T {
  const raising =
    (args: readonly unknown[]) =>
    (error: unknown): never => {
      throw args.some(isAborted) ? error : convert(error)
    }
  const guarded = (value: unknown, raise: (error: unknown) => never): unknown => {
    if (value instanceof Promise) return value.then((result) => guarded(result, raise), raise)
    return isStream(value) ? guardedStream(value, raise) : value
  }
  return new Proxy(target, {
    get(object, key) {
      const member: unknown = Reflect.get(object, key, object)
      if (typeof member !== 'function') return member
      return (...args: unknown[]): unknown => {
        const raise = raising(args)
        try {
          return guarded(Reflect.apply(member, object, args), raise)
        } catch (error) {
          return raise(error)
        }
      }
    },
  })
}

/** Options with a signal that is aborted. */
function isAborted(arg: unknown): boolean {
  return typeof arg === 'object' && arg !== null && (arg as { signal?: AbortSignal }).signal?.aborted === true
}

function isStream(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value
}

/** The stream itself, but for its errors: what else is known of it, such as that it checks itself, stays. */
function guardedStream<T>(stream: AsyncIterable<T>, raise: (error: unknown) => never): AsyncIterable<T> {
  async function* items(): AsyncGenerator<T> {
    try {
      yield* stream
    } catch (error) {
      raise(error)
    }
  }
  return new Proxy(stream, {
    get: (object, key) => {
      if (key === Symbol.asyncIterator) return items
      const member: unknown = Reflect.get(object, key, object)
      return typeof member === 'function' ? member.bind(object) : member
    },
  })
}
