/** An ordered environment: a name that is set again moves to the end, as in the reference's state. */
export class EnvList {
  readonly #values: Map<string, string>

  constructor(entries: Iterable<readonly [string, string]> = []) {
    this.#values = new Map(entries)
  }

  get(name: string): string | undefined {
    return this.#values.get(name)
  }

  set(name: string, value: string): void {
    this.#values.delete(name)
    this.#values.set(name, value)
  }

  delete(name: string): void {
    this.#values.delete(name)
  }

  keys(): string[] {
    return [...this.#values.keys()]
  }

  clone(): EnvList {
    return new EnvList(this.#values)
  }

  /** `NAME=value`, in order. */
  toArray(): string[] {
    return [...this.#values].map(([name, value]) => `${name}=${value}`)
  }
}

/** Splits `NAME=value`; the value is '' where there is no `=`. */
export function splitEnv(entry: string): [string, string] {
  const at = entry.indexOf('=')
  return at < 0 ? [entry, ''] : [entry.slice(0, at), entry.slice(at + 1)]
}
