/** A map that inherits the entries of another one without copying them: what a stage gets from its base. */

/** Layers that a look-up goes through at most; deeper ones are copied into one. */
const maxDepth = 256

export class LayeredMap<V> {
  readonly #own = new Map<string, V>()
  readonly #parent: LayeredMap<V> | undefined
  readonly #depth: number

  /** @param parent must not change any more */
  constructor(parent?: LayeredMap<V>) {
    let nearest = parent
    while (nearest !== undefined && nearest.#own.size === 0) nearest = nearest.#parent
    this.#depth = nearest === undefined ? 0 : nearest.#depth + 1
    if (this.#depth > maxDepth) {
      this.#depth = 0
      for (const layer of nearest!.#layers()) for (const [name, value] of layer.#own) this.#own.set(name, value)
    } else this.#parent = nearest
  }

  get(name: string): V | undefined {
    for (let layer: LayeredMap<V> | undefined = this; layer !== undefined; layer = layer.#parent) {
      const value = layer.#own.get(name)
      if (value !== undefined) return value
    }
    return undefined
  }

  has(name: string): boolean {
    return this.get(name) !== undefined
  }

  set(name: string, value: V): void {
    this.#own.set(name, value)
  }

  /** Not more than so many names. */
  get size(): number {
    return this.#own.size + (this.#parent?.size ?? 0)
  }

  /** All names once, those of the parent first. */
  keys(): Iterable<string> {
    return this.#merged().keys()
  }

  /** All entries, in the order of {@link keys}. */
  entries(): [name: string, value: V][] {
    return [...this.#merged()]
  }

  #merged(): Map<string, V> {
    if (this.#parent === undefined) return this.#own
    const merged = new Map<string, V>()
    for (const layer of this.#layers()) for (const [name, value] of layer.#own) merged.set(name, value)
    return merged
  }

  /** From the outermost parent to this one. */
  #layers(): LayeredMap<V>[] {
    const layers: LayeredMap<V>[] = []
    for (let layer: LayeredMap<V> | undefined = this; layer !== undefined; layer = layer.#parent) layers.push(layer)
    return layers.reverse()
  }
}
