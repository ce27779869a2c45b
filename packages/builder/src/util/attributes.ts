/** Attributes as flags write them (`KEY=VALUE` beside a type), read strictly: every one is known, every value of its type. */

/** Whose attributes they are, for messages. */
export interface AttributeOwner {
  /** `of output type oci` */
  readonly of: string
  /** `for oci exporter` */
  readonly for: string
  readonly type: string
  /** The error that a problem becomes. */
  fail(problem: string, hint?: string): Error
}

export class AttributeReader<Name extends string> {
  readonly #owner: AttributeOwner
  readonly #values: ReadonlyMap<string, string>
  /** What will have no effect, in words. */
  readonly warnings: string[] = []

  /** @throws the owner's error for an attribute that is not known */
  constructor(
    owner: AttributeOwner,
    values: ReadonlyMap<string, string>,
    known: readonly Name[],
    isKnown: (name: string) => boolean = (name) => known.some((one) => one === name),
  ) {
    this.#owner = owner
    this.#values = values
    for (const name of values.keys()) {
      if (isKnown(name)) continue
      const all = known.length === 0 ? 'no attributes' : known.join(', ')
      this.fail(`unknown attribute ${JSON.stringify(name)} ${owner.of}`, `type=${owner.type} has ${all}`)
    }
  }

  fail(problem: string, hint?: string): never {
    throw this.#owner.fail(problem, hint)
  }

  text(name: Name): string | undefined {
    return this.#values.get(name)
  }

  required(name: Name): string {
    return this.text(name) || this.fail(`${name} is required ${this.#owner.for}`)
  }

  flag(name: Name, fallback: boolean): boolean {
    return this.optionalFlag(name) ?? fallback
  }

  /** undefined when it is not given. */
  optionalFlag(name: Name): boolean | undefined {
    const value = this.text(name)
    if (value === undefined) return undefined
    if (value === '' || /^(1|t|true)$/i.test(value)) return true
    if (/^(0|f|false)$/i.test(value)) return false
    return this.fail(`non-bool value for ${name}: ${JSON.stringify(value)}`)
  }

  /** undefined when it is not given. */
  integer(name: Name): number | undefined {
    const value = this.text(name)
    if (value === undefined) return undefined
    return /^-?\d{1,9}$/.test(value)
      ? Number(value)
      : this.fail(`non-integer value for ${name}: ${JSON.stringify(value)}`)
  }

  oneOf<const V extends string>(name: Name, values: readonly V[], fallback: NoInfer<V>): V {
    const value = this.text(name) ?? fallback
    const found = values.find((one) => one === value)
    return found ?? this.fail(`unknown ${name} ${JSON.stringify(value)}: expected one of ${values.join(', ')}`)
  }
}
